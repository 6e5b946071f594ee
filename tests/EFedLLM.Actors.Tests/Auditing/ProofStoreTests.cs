using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Auditing;

public sealed class ProofStoreTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"efedllm-proofs-{Guid.NewGuid():n}");

    private readonly List<Exception> _failures = [];

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void What_is_kept_is_there_after_a_restart_and_found_by_its_first_digits()
    {
        var proof = Open().Keep([1, 2, 3]);
        Assert.Equal(Digest.Of([1, 2, 3]), proof);
        Assert.Equal(proof, Open().Keep([1, 2, 3]));
        var store = Open();
        Assert.True(store.TryRead(proof, out var bytes));
        Assert.Equal([1, 2, 3], bytes);
        Assert.Equal([proof], store.Find(proof.Short[..8].ToUpperInvariant()));
        Assert.Empty(store.Find(Digest.Of([4]).Short));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_changed_file_is_no_proof()
    {
        var store = Open();
        var proof = store.Keep([1, 2, 3]);
        File.WriteAllBytes(Path.Combine(_folder, proof.ToString()), [1, 2, 4]);
        Assert.False(store.TryRead(proof, out _));
        File.Delete(Path.Combine(_folder, proof.ToString()));
        Assert.False(store.TryRead(proof, out _));
    }

    [Fact]
    public void The_oldest_give_way_to_newer_ones()
    {
        var store = Open(files: 2, bytes: 10);
        var (first, second, third) = (store.Keep([1, 1]), store.Keep([2, 2]), store.Keep([3, 3]));
        Assert.Equal((false, true, true), (store.TryRead(first, out _), store.TryRead(second, out _), store.TryRead(third, out _)));
        var large = store.Keep([4, 4, 4, 4, 4, 4, 4, 4, 4]);
        Assert.Equal((false, false, true), (store.TryRead(second, out _), store.TryRead(third, out _), store.TryRead(large, out _)));
        Assert.Throws<InvalidDataException>(() => store.Keep(new byte[11]));
        Assert.True(store.TryRead(large, out _));
        Assert.Empty(Open(files: 2, bytes: 8).Find(large.Short));
    }

    [Fact]
    public void What_a_crash_left_is_removed()
    {
        Directory.CreateDirectory(_folder);
        var left = Path.Combine(_folder, $"{Digest.Of([1])}.{Guid.NewGuid():n}");
        File.WriteAllBytes(left, [1]);
        Open();
        Assert.False(File.Exists(left));
    }

    [Fact]
    public async Task What_is_handed_over_is_written_in_its_turn_and_a_failure_is_told()
    {
        var store = Open(bytes: 4);
        store.KeepSoon(new byte[] { 1 });
        store.KeepSoon(new byte[5]);
        store.KeepSoon(new byte[] { 2 });
        await store.Written;
        Assert.True(store.TryRead(Digest.Of([1]), out _));
        Assert.True(store.TryRead(Digest.Of([2]), out _));
        Assert.IsType<InvalidDataException>(Assert.Single(_failures));
    }

    private ProofStore Open(int files = 8, long bytes = 1000) => ProofStore.Open(_folder, files, bytes, _failures.Add);
}
