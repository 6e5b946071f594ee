using System.Collections.Immutable;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Blobs;

public sealed class BlobStoreTests(BlobModel model) : IClassFixture<BlobModel>, IDisposable
{
    private const long Plenty = 1L << 30;

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-store-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_model_s_folder_is_given_and_not_copied()
    {
        var store = BlobStore.Open(_folder, Plenty);
        Assert.Equal(model.Id, store.AddFolder(model.Folder));
        Assert.Equal(model.Whole, Assert.Single(store.Held(model.Id)));
        Assert.True(store.TryFind(model.Manifest.Files[2].Sha256, out var file));
        Assert.StartsWith(model.Folder, file.Path, StringComparison.Ordinal);
        Assert.True(store.TryFind(model.Id.Value, out var manifest));
        Assert.Equal(model.Json.Length, manifest.Bytes);
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder, "blobs")));
        using var opened = store.OpenModel(model.Id);
        Enumerable.Range(0, model.Whole.End).ToList().ForEach(opened.Verify);
    }

    [Fact]
    public async Task What_was_fetched_is_there_after_a_restart_and_is_used_without_the_folder()
    {
        await PutAsync(BlobStore.Open(_folder, Plenty), 1, 3);
        var store = BlobStore.Open(_folder, Plenty);
        Assert.Equal([model.Id], store.Models.ToArray());
        Assert.Equal([new LayerRange(1, 2), new LayerRange(3, 4)], store.Held(model.Id).ToArray());
        Assert.Equal([2], store.Missing(model.Id, new LayerRange(1, 4)).ToArray());
        using var opened = store.OpenModel(model.Id);
        opened.Verify(1);
        Assert.NotNull(opened.LoadLayer(0));
        Assert.Throws<FileNotFoundException>(() => opened.Verify(2));
    }

    [Theory]
    [InlineData("")]
    [InlineData("../device.key")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ZZZZ000000000000000000000000000000000000000000000000000000000000")]
    public void Whatever_is_no_file_of_a_known_model_is_not_found(string name)
    {
        var store = BlobStore.Open(_folder, Plenty);
        store.AddFolder(model.Folder);
        File.WriteAllText(Path.Combine(_folder, "device.key"), "secret");
        Assert.False(store.TryFind(name, out _));
    }

    [Fact]
    public void A_file_that_lies_in_the_store_without_a_manifest_that_names_it_is_not_given()
    {
        var name = new string('a', 64);
        BlobStore.Open(_folder, Plenty);
        File.WriteAllText(Path.Combine(_folder, "blobs", name), "anything");
        Assert.False(BlobStore.Open(_folder, Plenty).TryFind(name, out _));
    }

    [Fact]
    public async Task What_a_crash_left_is_cleared_away_at_the_start()
    {
        await PutAsync(BlobStore.Open(_folder, Plenty), 1, 2);
        var blobs = Path.Combine(_folder, "blobs");
        File.WriteAllText(Path.Combine(blobs, model.Manifest.Files[1].Sha256), "too short");
        File.WriteAllText(Path.Combine(blobs, "junk"), "junk");
        File.WriteAllText(Path.Combine(_folder, "manifests", $"{model.Id}.part"), "{");
        File.WriteAllText(Path.Combine(_folder, "manifests", new string('b', 64)), "{}");
        var store = BlobStore.Open(_folder, Plenty);
        Assert.Equal(new LayerRange(2, 3), Assert.Single(store.Held(model.Id)));
        Assert.Equal([model.Manifest.Files[2].Sha256], Directory.GetFiles(blobs).Select(Path.GetFileName));
        Assert.Equal([model.Id.Value], Directory.GetFiles(Path.Combine(_folder, "manifests")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_damaged_file_is_given_up_so_that_it_can_be_fetched_again()
    {
        var store = BlobStore.Open(_folder, Plenty);
        await PutAsync(store, 1);
        using var opened = store.OpenModel(model.Id);
        var name = model.Manifest.Files[1].Sha256;
        var path = Path.Combine(_folder, "blobs", name);
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);
        Assert.Throws<InvalidDataException>(() => opened.Verify(1));
        store.Discard(name);
        Assert.Equal((false, false), (store.TryFind(name, out _), File.Exists(path)));
        await PutAsync(store, 1);
        opened.Verify(1);
    }

    [Fact]
    public async Task The_longest_unused_makes_room_and_what_is_in_use_stays()
    {
        var layer = model.Manifest.Files[1].Bytes;
        var time = new ManualTime();
        var store = BlobStore.Open(_folder, (3 * layer) + 100, time);
        foreach (var unit in new[] { 1, 2, 3 })
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await PutAsync(store, unit);
        }

        time.Advance(TimeSpan.FromSeconds(1));
        store.Touch([model.Manifest.Files[1].Sha256]);
        using (Begin(store, 4, keep: model.Manifest.Files[2].Sha256))
        {
            Assert.Equal([new LayerRange(1, 3)], store.Held(model.Id).ToArray());
        }

        var error = Assert.Throws<IOException>(() => Begin(store, 3, [.. model.Manifest.Files.Select(file => file.Sha256)]));
        Assert.Contains("efedllm.blobs.disk", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_of_what_nobody_wants_any_more_make_room_too()
    {
        var layer = model.Manifest.Files[1].Bytes;
        var store = BlobStore.Open(_folder, layer + 100);
        store.AddManifest(model.Id, model.Json);
        using (Begin(store, 1))
        {
        }

        using (Begin(store, 2))
        {
        }

        Assert.Single(Directory.GetFiles(Path.Combine(_folder, "partial"), "????????????????????????????????????????????????????????????????"));
    }

    [Fact]
    public void A_claimed_length_takes_no_disk()
    {
        var store = BlobStore.Open(_folder, long.MaxValue);
        store.AddManifest(model.Id, model.Json);
        using var part = Begin(store, 1);
        Assert.Equal(0, new FileInfo(part.Path).Length);
    }

    [Fact]
    public void A_manifest_that_is_another_one_s_or_none_is_refused()
    {
        var store = BlobStore.Open(_folder, Plenty);
        var changed = model.Json.ToArray();
        changed[^2] ^= 1;
        Assert.Throws<InvalidDataException>(() => store.AddManifest(model.Id, changed));
        Assert.Throws<InvalidDataException>(() => store.AddManifest(ModelManifest.IdOf("{}"u8), "{}"u8));
        Assert.Throws<InvalidDataException>(() => store.AddManifest(model.Id, []));
        Assert.Empty(store.Models);
    }

    [Fact]
    public void Units_become_ranges_that_do_not_touch_and_fit_an_announcement()
    {
        Assert.Equal([new LayerRange(0, 2), new LayerRange(4, 5)], UnitRanges.Of(6, unit => unit is 0 or 1 or 4).ToArray());
        Assert.Empty(UnitRanges.Of(6, _ => false));
        Assert.Equal(ProtocolLimits.AnnouncedRanges, UnitRanges.Of(4096, unit => unit % 2 == 0).Length);
    }

    private PartialBlob Begin(BlobStore store, int unit, params string[] keep)
        => store.Begin([model.Manifest.Files[unit]], keep.ToImmutableHashSet(), BlobModel.PieceBytes)[0];

    private async Task PutAsync(BlobStore store, params int[] units)
    {
        store.AddManifest(model.Id, model.Json);
        foreach (var unit in units)
        {
            var part = Begin(store, unit);
            await part.WriteAsync(0, model.FileOf(unit), CancellationToken.None);
            store.Complete(part);
        }
    }

    private sealed class ManualTime : TimeProvider
    {
        private DateTimeOffset _now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public void Advance(TimeSpan time) => _now += time;

        public override DateTimeOffset GetUtcNow() => _now;
    }
}
