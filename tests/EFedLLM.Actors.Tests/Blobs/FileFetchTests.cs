using System.Security.Cryptography;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Blobs;

/// <summary>Who is convicted by which hash, on real parts of a real disk.</summary>
public sealed class FileFetchTests : IDisposable
{
    private const int PieceBytes = 1000;

    private static readonly DeviceId A = new(new string('a', 32));
    private static readonly DeviceId B = new(new string('b', 32));
    private static readonly DeviceId C = new(new string('c', 32));

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-part-").FullName;
    private readonly byte[] _content = new byte[(3 * PieceBytes) + 500];
    private readonly string _sha256;

    public FileFetchTests()
    {
        new Random(1).NextBytes(_content);
        _sha256 = Convert.ToHexStringLower(SHA256.HashData(_content));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_file_with_the_right_hash_is_whole_and_convicts_nobody()
    {
        using var part = Open();
        var file = File(part);
        await GiveAsync(part, (0, A, true), (1, B, true), (2, A, true), (3, C, true));
        Assert.Empty(Judge(file, out var lost));
        Assert.Equal((true, 0L), (file.IsWhole, lost));
    }

    [Fact]
    public async Task A_wrong_hash_convicts_the_one_who_gave_everything()
    {
        using var part = Open();
        var file = File(part);
        await GiveAsync(part, (0, A, true), (1, A, true), (2, A, false), (3, A, true));
        Assert.Equal(A, Assert.Single(Judge(file, out var lost)));
        Assert.Equal((_content.Length, 4), (lost, file.Missing.Count()));
        Assert.Equal((false, true), (file.MayGive(A), file.MayGive(B)));
    }

    [Fact]
    public async Task Of_several_the_one_whose_piece_differs_from_the_right_file_is_convicted()
    {
        using var part = Open();
        var file = File(part);
        await GiveAsync(part, (0, A, true), (1, A, true), (2, B, false), (3, C, true));
        Assert.Empty(Judge(file, out _));
        Assert.False(file.IsToBeHashed);

        // The one with the most pieces is the witness: only what others gave is fetched again, and from it alone.
        Assert.Equal(PieceBytes + 500, file.ChooseWitness([new(A), new(B), new(C)]));
        Assert.Equal([2, 3], file.Missing);
        Assert.Equal((true, false, false), (file.MayGive(A), file.MayGive(B), file.MayGive(C)));
        await GiveAsync(part, (2, A, true), (3, A, true));
        Assert.Equal(B, Assert.Single(Judge(file, out _)));
        Assert.True(file.IsWhole);
    }

    [Fact]
    public async Task A_witness_that_lies_is_convicted_and_the_next_one_convicts_the_others()
    {
        using var part = Open();
        var file = File(part);
        await GiveAsync(part, (0, A, false), (1, A, true), (2, B, false), (3, C, true));
        Judge(file, out _);
        file.ChooseWitness([new(A), new(B), new(C)]);
        await GiveAsync(part, (2, A, true), (3, A, true));
        Assert.Equal(A, Assert.Single(Judge(file, out _)));
        file.ChooseWitness([new(A), new(B), new(C)]);
        Assert.False(file.MayGive(A));
        var witness = file.MayGive(B) ? B : C;
        await GiveAsync(part, (0, witness, true), (1, witness, true), (2, witness, true), (3, witness, true));
        Assert.Equal(witness == B ? [] : [B], Judge(file, out _).Where(device => device != witness));
        Assert.True(file.IsWhole);
    }

    [Fact]
    public async Task A_witness_that_goes_away_or_fails_again_and_again_is_replaced()
    {
        using var part = Open();
        var file = File(part);
        await GiveAsync(part, (0, A, true), (1, A, true), (2, B, false), (3, B, true));
        Judge(file, out _);
        file.ChooseWitness([new(A), new(B)]);
        Assert.True(file.MayGive(A));
        file.ChooseWitness([new(A, Failures: 3), new(C)]);
        Assert.True(file.MayGive(C));
        file.ChooseWitness([]);
        Assert.False(file.MayGive(A) || file.MayGive(C));
        file.ChooseWitness([new(B)]);
        Assert.True(file.MayGive(B));
    }

    [Fact]
    public async Task What_this_machine_s_disk_changed_is_fetched_again_and_convicts_nobody()
    {
        using var part = Open();
        var file = File(part);
        await GiveAsync(part, (0, A, true), (1, A, true), (2, A, true), (3, A, true));
        await part.WriteAsync(PieceBytes + 7, new byte[] { (byte)(_content[PieceBytes + 7] ^ 1) }, CancellationToken.None);
        Assert.Empty(Judge(file, out var lost));
        Assert.Equal(PieceBytes, lost);
        Assert.Equal([1], file.Missing);
        Assert.True(file.MayGive(A));
        await GiveAsync(part, (1, A, true));
        Assert.Empty(Judge(file, out _));
        Assert.True(file.IsWhole);
    }

    [Fact]
    public async Task A_part_that_is_opened_again_has_the_pieces_whose_hashes_are_right()
    {
        using (var part = Open())
        {
            await GiveAsync(part, (0, A, true), (2, B, true), (3, C, true));
        }

        // A crash: one piece was not written to the end.
        await using (var torn = new FileStream(Path.Combine(_folder, _sha256), FileMode.Open))
        {
            torn.Position = (2 * PieceBytes) + 999;
            torn.WriteByte((byte)(_content[(2 * PieceBytes) + 999] ^ 0xff));
        }

        using var again = Open();
        Assert.Equal([A, null, null, C], again.Pieces.Select(piece => (DeviceId?)piece?.From));
        Assert.Equal(PieceBytes + 500, again.DoneBytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("long")]
    [InlineData("other size")]
    [InlineData("other index")]
    public async Task Notes_that_do_not_fit_count_for_nothing(string how)
    {
        using (var part = Open())
        {
            await GiveAsync(part, (0, A, true), (1, A, true), (2, B, true), (3, C, true));
        }

        var notes = Path.Combine(_folder, _sha256 + ".pieces");
        var bytes = await System.IO.File.ReadAllBytesAsync(notes);
        switch (how)
        {
            case "other size":
                bytes[16] ^= 1;
                break;
            case "other index":
                for (var at = 24; at < bytes.Length; at += 52)
                {
                    bytes[at + 3] = 0x7f;
                }

                break;
            default:
                bytes = how == "long" ? new byte[1 << 20] : System.Text.Encoding.ASCII.GetBytes(how);
                break;
        }

        await System.IO.File.WriteAllBytesAsync(notes, bytes);
        using var again = Open();
        Assert.Equal(0, again.DoneBytes);
        await GiveAsync(again, (0, A, true), (1, A, true), (2, A, true), (3, A, true));
        Assert.Equal(_sha256, again.Hash(CancellationToken.None));
    }

    private static System.Collections.Immutable.ImmutableArray<DeviceId> Judge(FileFetch file, out long lost)
    {
        var hash = file.Part.Hash(CancellationToken.None);
        return file.Judge(hash, hash == file.File.Sha256 ? [] : file.Part.Damaged(CancellationToken.None), out lost);
    }

    private PartialBlob Open() => PartialBlob.Open(_folder, _sha256, _content.Length, PieceBytes);

    private FileFetch File(PartialBlob part) => new(new WeightFile(0, "x", _content.Length, _sha256), part);

    private async Task GiveAsync(PartialBlob part, params (int Piece, DeviceId From, bool Honest)[] pieces)
    {
        foreach (var (piece, from, honest) in pieces)
        {
            var bytes = _content.AsSpan((int)part.OffsetOf(piece), part.LengthOf(piece)).ToArray();
            bytes[^1] ^= (byte)(honest ? 0 : 1);
            await part.WriteAsync(part.OffsetOf(piece), bytes, CancellationToken.None);
            part.Note(piece, new PieceNote(from, Convert.ToHexStringLower(SHA256.HashData(bytes))));
        }
    }
}
