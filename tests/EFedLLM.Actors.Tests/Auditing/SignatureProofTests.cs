using System.Collections.Immutable;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>Proofs that need no model: they hold where a device signed what no honest one signs, and in no other case.</summary>
public sealed class SignatureProofTests : IDisposable
{
    private static readonly ClusterId Ours = ClusterId.Parse(new string('a', 64));

    private static readonly SessionId Session = SessionId.New();

    private static readonly float[] Sound = [1, -2, 3];

    private static readonly float[] Wild = [1, float.NaN, 3];

    private readonly DeviceKey _first = DeviceKey.Create();

    private readonly DeviceKey _second = DeviceKey.Create();

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }

    [Theory]
    [InlineData(SignatureFault.TwoReceipts)]
    [InlineData(SignatureFault.Contradiction)]
    [InlineData(SignatureFault.OpenedOtherwise)]
    [InlineData(SignatureFault.Unsound)]
    public async Task It_holds_anywhere_and_with_no_bit_of_it_changed(SignatureFault fault)
    {
        var proof = Proof(fault);
        Assert.Null(SignatureRules.Problem(proof));
        var bytes = proof.ToBytes();
        Assert.Equal(proof, SignatureProof.Read(bytes));
        var outcome = await ProofReplay.ReplayAsync(bytes, [], 1, 0, CancellationToken.None);
        Assert.Equal(ReplayResult.Holds, outcome.Result);
        Assert.Contains(_first.Device.Short, outcome.Text, StringComparison.Ordinal);
        var foreign = await ProofReplay.ReplayAsync(bytes, [], 1, 0, CancellationToken.None, ClusterId.WithoutTls("efedllm"));
        Assert.Equal(ReplayResult.DoesNotHold, foreign.Result);
        Assert.Contains("it is of cluster aaaaaaaa, and not of", foreign.Text, StringComparison.Ordinal);
        Assert.Equal(ReplayResult.Holds, await AboutAsync(_first.Device, Session));
        Assert.Equal(fault == SignatureFault.Contradiction ? ReplayResult.Holds : ReplayResult.DoesNotHold, await AboutAsync(_second.Device, Session));
        Assert.Equal(ReplayResult.DoesNotHold, await AboutAsync(new DeviceId(new string('e', 32)), Session));
        Assert.Equal(ReplayResult.DoesNotHold, await AboutAsync(_first.Device, SessionId.New()));

        for (var bit = 0; bit < bytes.Length * 8; bit += 3)
        {
            var changed = bytes.ToArray();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidDataException>(() => SignatureProof.Read(changed));

            // The same by somebody who makes it look whole again.
            Digest.Of(changed.AsSpan(0, changed.Length - Digest.Bytes)).Write(changed.AsSpan(changed.Length - Digest.Bytes));
            if (!changed.AsSpan().SequenceEqual(bytes))
            {
                Assert.False(Holds(changed), $"It holds with another bit at {bit}.");
            }
        }

        async Task<ReplayResult> AboutAsync(DeviceId device, SessionId session)
            => (await ProofReplay.ReplayAsync(bytes, [], 1, 0, CancellationToken.None, subject: new ProofSubject(device, session))).Result;

        bool Holds(byte[] changed)
        {
            try
            {
                var read = SignatureProof.Read(changed);
                return !read.Equals(proof) && SignatureRules.Problem(read) is null;
            }
            catch (InvalidDataException)
            {
                return false;
            }
        }
    }

    [Fact]
    public void Two_receipts_of_an_honest_device_prove_nothing()
    {
        var proof = Proof(SignatureFault.TwoReceipts);
        var before = proof.Receipts[0].Receipt;
        Assert.All<Receipt>(
            [
                before,
                before with { Epoch = 2, OutRoot = Digest.Of([9]) },
                before with { Position = 32, OutRoot = Digest.Of([9]) },
                before with { HopIndex = 2, OutRoot = Digest.Of([9]) },
                before with { Session = SessionId.New(), OutRoot = Digest.Of([9]) },
                before with { Cluster = ClusterId.WithoutTls("efedllm"), OutRoot = Digest.Of([9]) },
            ],
            now => Assert.NotNull(SignatureRules.Problem(proof with { Receipts = [proof.Receipts[0], Sign(_first, now)] })));

        // Another one signed it, or nobody.
        Assert.NotNull(SignatureRules.Problem(proof with { Receipts = [proof.Receipts[0], Sign(_second, proof.Receipts[1].Receipt)] }));
        Assert.NotNull(SignatureRules.Problem(proof with { Receipts = [proof.Receipts[0], proof.Receipts[1] with { Signature = proof.Receipts[0].Signature }] }));
        Assert.NotNull(SignatureRules.Problem(proof with { PublicKey = _second.PublicKey }));
        Assert.NotNull(SignatureRules.Problem(proof with { Receipts = proof.Receipts[..1] }));
        Assert.NotNull(SignatureRules.Problem(proof with { Fault = (SignatureFault)9 }));
    }

    [Fact]
    public void Neighbours_that_say_the_same_or_are_none_contradict_each_other_in_nothing()
    {
        var proof = Proof(SignatureFault.Contradiction);
        var (given, taken) = (proof.Receipts[0].Receipt, proof.Receipts[1].Receipt);
        Assert.All<Receipt>(
            [
                taken with { InRoot = given.OutRoot },
                taken with { Epoch = 2 },
                taken with { HopIndex = 3 },
                taken with { Range = new LayerRange(5, 7) },
                taken with { Rows = 15 },
                taken with { Position = 32 },
                taken with { Cluster = ClusterId.WithoutTls("efedllm") },
            ],
            other => Assert.NotNull(SignatureRules.Problem(proof with { Receipts = [proof.Receipts[0], Sign(_second, other)] })));
        Assert.NotNull(SignatureRules.Problem(proof with { Other = default }));
    }

    [Fact]
    public void Who_opens_what_it_signed_or_something_of_another_epoch_opens_nothing_else()
    {
        var proof = Proof(SignatureFault.OpenedOtherwise);
        var opening = proof.Openings[0].Opening;
        var honest = Receipt(_first, 1) with { OutRoot = Merkle.Root(opening.Rows.AsSpan()), Rows = opening.Rows.Length };
        Assert.NotNull(SignatureRules.Problem(proof with { Receipts = [Sign(_first, honest)] }));
        Assert.All<Opening>(
            [
                opening with { Epoch = 2 },
                opening with { Position = 17 },
                opening with { HopIndex = 2 },
                opening with { Rows = opening.Rows[1..] },
                opening with { Session = SessionId.New() },
                opening with { Cluster = ClusterId.WithoutTls("efedllm") },
            ],
            other => Assert.NotNull(SignatureRules.Problem(proof with { Openings = [Sign(_first, other)] })));
        Assert.NotNull(SignatureRules.Problem(proof with { Openings = [Sign(_second, opening)] }));
        Assert.NotNull(SignatureRules.Problem(proof with { Openings = [] }));

        // What it got is held against what it signed that it got, and in as many parts as it came.
        var taken = honest with { InRoot = Digest.Of([5]) };
        ImmutableArray<SignedOpening> parts = [Sign(_first, opening with { Taken = true, Rows = opening.Rows[..7] }), Sign(_first, opening with { Taken = true, Position = 23, Rows = opening.Rows[7..] })];
        Assert.Null(SignatureRules.Problem(proof with { Receipts = [Sign(_first, taken)], Openings = parts }));
        Assert.NotNull(SignatureRules.Problem(proof with { Receipts = [Sign(_first, taken with { InRoot = honest.OutRoot })], Openings = parts }));
        Assert.NotNull(SignatureRules.Problem(proof with { Receipts = [Sign(_first, taken)], Openings = [parts[1], parts[0]] }));
    }

    [Fact]
    public void A_row_that_a_model_may_give_or_that_was_not_opened_is_not_held_against_a_device()
    {
        var proof = Proof(SignatureFault.Unsound);
        Assert.NotNull(SignatureRules.Problem(proof with { Row = Sound }));
        Assert.NotNull(SignatureRules.Problem(proof with { Row = new[] { float.PositiveInfinity } }));
        Assert.NotNull(SignatureRules.Problem(proof with { Row = default }));
        var honest = proof.Openings[0].Opening with { Rows = [PositionDigest.OfRow(Sound)] };
        Assert.NotNull(SignatureRules.Problem(proof with { Openings = [Sign(_first, honest)], Row = Sound }));
    }

    private static SignedReceipt Sign(DeviceKey key, Receipt receipt) => new(receipt, [.. key.Sign(receipt.ToStatement())]);

    private static SignedOpening Sign(DeviceKey key, Opening opening) => new(opening, [.. key.Sign(opening.ToStatement())]);

    private static Receipt Receipt(DeviceKey key, int hop) => new(
        Ours, Session, 1, hop, key.Device, new ModelId(new string('b', 64)), hop == 1 ? new LayerRange(2, 4) : new LayerRange(4, 7), 16, 16,
        Digest.Of([1, (byte)hop]), Digest.Of([2, (byte)hop]), Digest.Of([3]), Digest.Of([4]));

    private SignatureProof Proof(SignatureFault fault)
    {
        var receipt = Receipt(_first, 1);
        var opening = new Opening(Ours, Session, 1, 1, 16, false, [.. Enumerable.Range(0, 16).Select(row => Digest.Of([7, (byte)row]))]);
        return fault switch
        {
            SignatureFault.TwoReceipts => new SignatureProof(fault, _first.PublicKey, default, [Sign(_first, receipt), Sign(_first, receipt with { OutRoot = Digest.Of([9]) })], [], default),
            SignatureFault.Contradiction => new SignatureProof(fault, _first.PublicKey, _second.PublicKey, [Sign(_first, receipt), Sign(_second, Receipt(_second, 2))], [], default),
            SignatureFault.OpenedOtherwise => new SignatureProof(fault, _first.PublicKey, default, [Sign(_first, receipt)], [Sign(_first, opening)], default),
            _ => new SignatureProof(fault, _first.PublicKey, default, [], [Sign(_first, opening with { Rows = [PositionDigest.OfRow(Sound), PositionDigest.OfRow(Wild)] })], Wild),
        };
    }
}
