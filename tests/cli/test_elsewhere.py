"""Pictures that do not lie in a folder, through the command line: S3 on loopback, lists, other machines' catalogues."""

import json

import pytest

from tests.pictures import half, picture, save

LOGIN = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "sesame", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """An S3 API on loopback with three pictures in it; the environment to reach it, and a count of the requests."""
    pytest.importorskip("s3fs")
    server_of = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer
    server = server_of("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {**LOGIN, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    root = tmp_path_factory.mktemp("bucket")
    files = [save(root / "a.png", picture(0)), save(root / "b.png", picture(1)), save(root / "c.jpg", half(picture(0)))]
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        import boto3

        client = boto3.client("s3")
        client.create_bucket(Bucket="pics")
        for path in files:
            client.upload_file(str(path), "pics", f"set/{path.name}")
        client.upload_file(str(files[0]), "pics", "set//odd.png")
        client.put_object(Bucket="pics", Key="set/", Body=b"")
        client.close()
    yield environment, files
    server.stop()


@pytest.mark.filterwarnings("ignore")  # the server's own
def test_s3(script, run, bucket, tmp_path):
    environment, files = bucket
    first = script("-d", "p.db", "scan", "s3://pics/set", cwd=tmp_path, env=environment, code=0)
    assert "3 files: 3 read, 0 unchanged" in first.stdout
    assert "1 unusable key" in first.stdout
    assert "s3://pics/set/a.png" in first.stdout
    again = run("-d", "p.db", "ingest", "s3://pics/set", cwd=tmp_path, env=environment, code=0)
    assert "3 files: 0 read, 3 unchanged" in again.stdout
    done = script("-d", "p.db", "query", files[2], "s3://pics/set/b.png", "--json", cwd=tmp_path, env=environment)
    queries = json.loads(done.stdout)["queries"]
    assert queries[1]["path"] == "s3://pics/set/b.png"
    paths = [{place["path"] for m in q["matches"] for place in m["image"]["locations"]} for q in queries]
    assert paths == [{"s3://pics/set/a.png", "s3://pics/set/c.jpg"}, {"s3://pics/set/b.png"}]
    wrong = {**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    down = run("-d", "p.db", "ingest", "s3://pics/set", cwd=tmp_path, env=wrong, code=1)
    assert "s3://pics/set: unreadable" in down.stderr
    assert "sesame" not in down.stderr
    assert "gone" not in down.stdout


def test_lists(run, tmp_path):
    save(tmp_path / "lists" / "one.png", picture(0))
    save(tmp_path / "lists" / "two.jpg", half(picture(0)))
    (tmp_path / "lists" / "l.csv").write_text("sku,photo\nA-1,one.png\nA-2,two.jpg\nA-3,\n")
    list_ = ("--list", "lists/l.csv", "--column", "photo", "--id-column", "sku")
    done = run("-d", "p.db", "scan", *list_, "--json", cwd=tmp_path, code=1)
    assert "l.csv#row=3: missing: no path or URL in this row" in done.stderr
    [group] = json.loads(done.stdout)["groups"]
    labels = {place["label"] for member in group["members"] for place in member["locations"]}
    assert labels == {"A-1", "A-2"}
    assert "0 read, 2 unchanged" in run("-d", "p.db", "ingest", *list_, cwd=tmp_path, code=1).stdout
    for wrong in ((), (tmp_path, "--column", "x"), ("--list", "none.csv"), ("--list", "lists/l.csv", "--column", "x")):
        assert run("-d", "p.db", "ingest", *wrong, cwd=tmp_path, code=2).stderr.startswith("dedupindex: ")


def test_urls_that_mean_nothing(run, tmp_path):
    for url, words in (
        ("foo://x/y.jpg", "no scheme foo"),
        ("s3://b//k.jpg", "cannot be told"),
        ("https://me:sesame@h/x.jpg", "no password"),
    ):
        done = run("-d", "p.db", "ingest", url, cwd=tmp_path, code=2)
        assert words in done.stderr
        assert "sesame" not in done.stderr


def test_merge(run, tmp_path):
    save(tmp_path / "here" / "a.png", picture(0))
    save(tmp_path / "there" / "b.jpg", half(picture(0)))
    save(tmp_path / "there" / "c.png", picture(1))
    run("-d", "ours.db", "ingest", "here", cwd=tmp_path, code=0)
    run("-d", "theirs.db", "ingest", "there", cwd=tmp_path, code=0)
    done = run("-d", "ours.db", "merge", "theirs.db", "--volume", "laptop", cwd=tmp_path, code=0)
    assert "2 new pictures, 0 known; 2 files new or changed" in done.stdout
    (tmp_path / "theirs.db").unlink()
    (tmp_path / "there" / "b.jpg").unlink()
    report = run("-d", "ours.db", "report", "--csv", cwd=tmp_path, code=0)
    assert f"laptop:{tmp_path}/there/b.jpg" in report.stdout
    found = run("-d", "ours.db", "query", "there/c.png", cwd=tmp_path, code=0)
    assert f"laptop:{tmp_path}/there/c.png" in found.stdout
    narrowed = run("-d", "ours.db", "report", "--across", "here", f"laptop:{tmp_path}/there", cwd=tmp_path, code=0)
    assert "1 duplicate group" in narrowed.stdout
    assert run("-d", "ours.db", "check", "--deep", cwd=tmp_path, code=0).stdout == "all is well\n"
    gone = run("-d", "ours.db", "forget", f"laptop:{tmp_path}/there", cwd=tmp_path, code=0)
    assert "2 files" in gone.stdout
    assert "there is no database" in run("-d", "ours.db", "merge", "theirs.db", cwd=tmp_path, code=2).stderr
    both = run("-d", "ours.db", "merge", "a.db", "b.db", "--volume", "x2", cwd=tmp_path, code=2)
    assert "one catalogue" in both.stderr
