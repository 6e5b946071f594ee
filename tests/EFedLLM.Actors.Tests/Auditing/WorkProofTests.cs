using System.Collections.Immutable;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Auditing;

/// <summary>Proofs of wrong work: they hold for whoever has the layers, and none can be made against a device that computes rightly.</summary>
public sealed class WorkProofTests : IDisposable
{
    private static readonly ImmutableArray<int> Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12, 45, 9, 260, 5, 17, 80, 81, 82, 83, 84];

    private static readonly LayerRange[] Ranges = [new(0, 3), new(3, 5), new(5, 7)];

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 7 };

    private readonly List<IDisposable> _open = [];

    public void Dispose()
    {
        foreach (var each in _open)
        {
            each.Dispose();
        }
    }

    [SharedTheory]
    [InlineData("sign-flip", 0, 0f, true)]
    [InlineData("sign-flip", 1, 0f, true)]
    [InlineData("sign-flip", 2, 0f, true)]
    [InlineData("noise", 0, 0.9f, false)]
    [InlineData("noise", 1, 0.9f, false)]
    [InlineData("noise", 2, 0.9f, false)]
    public void A_proven_verdict_names_a_proof_that_holds(string behaviour, int hop, float temperature, bool isStrict)
    {
        var session = Run(hop, behaviour, temperature, isStrict);
        var convicted = session.Checks.Where(check => check.Facts is { Outcome: CheckOutcome.Hard, Role: TrustRole.Server }).ToArray();
        Assert.NotEmpty(convicted);
        Assert.All(convicted, check =>
        {
            var bytes = session.Proofs[check.Facts.Proof];
            var proof = WorkProof.Read(bytes);
            Assert.Equal(bytes, proof.ToBytes());
            Assert.Equal(
                (check.Device, check.Range, check.Facts.Position, check.Tokens, check.Facts.Expected, check.Facts.Found),
                (proof.Disputed.Device, proof.Disputed.Range, proof.Disputed.Position, proof.Disputed.Rows, proof.Right, proof.Signed));
            Assert.Null(ProofRules.Problem(proof));
            var outcome = Replay(proof);
            Assert.True(outcome.Result == ReplayResult.Holds, outcome.Text);
            Assert.Contains(check.Device.Short, outcome.Text, StringComparison.Ordinal);
        });
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_proof_with_one_changed_bit_never_holds(int hop)
    {
        var bytes = Run(hop, "sign-flip", 0.9f, isStrict: true).Proofs.Values.First();
        var whole = WorkProof.Read(bytes);
        var random = new Random(hop);
        for (var at = 0; at < bytes.Length; at += 1 + random.Next(Math.Max(1, bytes.Length / 400)))
        {
            var changed = bytes.ToArray();
            changed[at] ^= (byte)(1 << random.Next(8));
            Assert.Throws<InvalidDataException>(() => WorkProof.Read(changed));

            // The same by somebody who makes it look whole again.
            Digest.Of(changed.AsSpan(0, changed.Length - Digest.Bytes)).Write(changed.AsSpan(changed.Length - Digest.Bytes));
            if (changed.AsSpan().SequenceEqual(bytes))
            {
                continue;
            }

            try
            {
                var proof = WorkProof.Read(changed);
                Assert.True(proof.Equals(whole) || Replay(proof).Result != ReplayResult.Holds, $"It holds with another bit at {at}.");
            }
            catch (InvalidDataException)
            {
                // It is no proof.
            }
        }
    }

    [SharedTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Nobody_makes_a_proof_against_a_device_that_computes_rightly(int hop)
    {
        var source = Source();
        using var cluster = new CheckedCluster(source);
        var stages = cluster.AddRoute(3, 5);
        var served = cluster.Open(stages, new SamplingSettings { Temperature = 0.9f, Seed = 11 });
        served.Prefill([.. Prompt], 7);
        served.Decode(30);
        served.Seal();
        var receipts = Signed(served, hop).Take(3).ToImmutableArray();
        var positions = receipts[^1].Receipt.Position + receipts[^1].Receipt.Rows;
        var drawn = Enumerable.Range(receipts[^1].Receipt.Position, receipts[^1].Receipt.Rows).Select(row =>
        {
            var choice = cluster.Of<TokenSampled>(served.Id).SingleOrDefault(message => message.Position == row + 1)?.Choice;
            return choice is { } token ? PositionDigest.OfDraw(token.Id, token.Logprob) : default;
        });
        var hidden = hop == 0 ? [] : Enumerable.Range(0, positions / 16).SelectMany(unit => served.Kept(hop - 1, unit * 16, 16)).ToArray();
        var proof = new WorkProof(
            stages[hop].PublicKey, served.Terms, receipts, hop == 0 ? [.. served.Tokens.Take(positions)] : [], hidden, hop == 2 ? [.. drawn] : [], Digest.Of([1]));
        Assert.Null(ProofRules.Problem(proof));
        var outcome = Replay(proof);
        Assert.Equal(ReplayResult.DoesNotHold, outcome.Result);
        Assert.Contains("just that comes out", outcome.Text, StringComparison.Ordinal);

        // Other inputs than it had, others' receipts, some left out, or another key.
        using var other = EFedLLM.Actors.Identity.DeviceKey.Create();
        var wrong = hidden.ToArray();
        if (hop > 0)
        {
            wrong[^1] += 1;
        }

        Assert.All<WorkProof>(
            [
                hop == 0 ? proof with { Tokens = proof.Tokens.SetItem(17, proof.Tokens[17] + 1) } : proof with { Hidden = wrong },
                hop == 0 ? proof with { Tokens = proof.Tokens[..^1] } : proof with { Hidden = wrong.AsMemory(1) },
                proof with { Receipts = proof.Receipts.RemoveAt(0) },
                proof with { Receipts = proof.Receipts.RemoveAt(1) },
                proof with { Receipts = proof.Receipts.SetItem(0, proof.Receipts[0] with { Signature = proof.Receipts[1].Signature }) },
                proof with { Receipts = proof.Receipts.SetItem(1, Signed(served, (hop + 1) % 3).ElementAt(1)) },
                proof with { Receipts = [] },
                proof with { PublicKey = other.PublicKey },
                proof with { PublicKey = default },
                proof with { Drawn = [Digest.Of([2])] },
                proof with { Terms = proof.Terms with { Sampling = new SamplingSettings { Temperature = 0.9f, Seed = 12 } } },
                proof with { Terms = proof.Terms with { Sampling = SamplingSettings.Greedy } },
                proof with { Terms = proof.Terms with { Cluster = ClusterId.WithoutTls("efedllm") } },
                proof with { Terms = proof.Terms with { Session = SessionId.New() } },
                proof with { Terms = proof.Terms with { Commitment = Digest.Of([1]) } },
            ],
            framed => Assert.NotNull(ProofRules.Problem(framed)));
        if (hop == 2)
        {
            // A row after which the device says that it drew nothing cannot be held against it.
            Assert.NotNull(ProofRules.Problem(proof with { Drawn = proof.Drawn.SetItem(5, default) }));
        }
        else
        {
            Assert.Equal(ReplayResult.DoesNotHold, Replay(proof with { Drawn = [.. new Digest[16]] }).Result);
        }
    }

    [SharedFact]
    public void Without_the_right_files_or_the_memory_a_proof_cannot_be_told()
    {
        var proof = WorkProof.Read(Run(1, "sign-flip", 0, isStrict: true).Proofs.Values.First());
        var source = Source();
        Assert.Equal(ReplayResult.CannotTell, ProofReplay.Replay(proof, source, 1, long.MaxValue, default).Result);
        using var named = new NamedSource(source, TestSessions.Model);
        var outcome = ProofReplay.Replay(proof, named, 1, 1000, default);
        Assert.Equal(ReplayResult.CannotTell, outcome.Result);
        Assert.Contains("of memory", outcome.Text, StringComparison.Ordinal);
    }

    [SharedFact]
    public async Task A_replay_looks_for_the_proof_and_the_model_and_says_what_is_missing()
    {
        var bytes = Run(1, "sign-flip", 0, isStrict: true).Proofs.Values.First();
        var folder = Directory.CreateTempSubdirectory("efedllm-proofs-").FullName;
        try
        {
            var store = ProofStore.Open(folder, 8, 1 << 24, error => Assert.Fail(error.Message));
            using var replay = new ProofReplay(store, [folder, SharedModels.Model("stories260K")], 1, long.MaxValue);
            var disputed = WorkProof.Read(bytes).Disputed;
            var subject = new ProofSubject(disputed.Device, disputed.Session);
            var missing = await replay.ReplayAsync(Digest.Of([1]), subject, CancellationToken.None);
            Assert.Equal(ReplayResult.CannotTell, missing.Result);
            var outcome = await replay.ReplayAsync(store.Keep(bytes), subject, CancellationToken.None);
            Assert.Equal(ReplayResult.CannotTell, outcome.Result);
            Assert.Contains($"no files of model {TestSessions.Model.Short}", outcome.Text, StringComparison.Ordinal);

            // What holds against another, or another time, says nothing of this.
            outcome = await replay.ReplayAsync(Digest.Of(bytes), subject with { Device = new DeviceId(new string('e', 32)) }, CancellationToken.None);
            Assert.Equal(ReplayResult.DoesNotHold, outcome.Result);
            Assert.Contains($"it is about device {disputed.Device.Short}, and the verdict is on eeeeeeee", outcome.Text, StringComparison.Ordinal);
            outcome = await replay.ReplayAsync(Digest.Of(bytes), subject with { Session = SessionId.New() }, CancellationToken.None);
            Assert.Equal(ReplayResult.DoesNotHold, outcome.Result);
            Assert.Contains("it is about session", outcome.Text, StringComparison.Ordinal);
            Assert.Equal(ReplayResult.DoesNotHold, (await ProofReplay.ReplayAsync(bytes[..^1], [], 1, long.MaxValue, CancellationToken.None)).Result);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [SharedFact]
    public void Beyond_what_is_kept_a_verdict_has_no_proof_and_says_so()
    {
        // 36 positions of 64 values: less than the liar's first unit is kept, or nothing.
        foreach (var bytes in new[] { 0L, 1000 })
        {
            var session = Run(1, "sign-flip", 0, isStrict: true, new TrustSettings { ProofBytes = bytes });
            Assert.Empty(session.Proofs);
            var convicted = session.Checks.First(check => check.Facts.Outcome == CheckOutcome.Hard);
            Assert.Equal(default, convicted.Facts.Proof);
            Assert.Contains("efedllm.trust.proof-bytes", convicted.Facts.Reason, StringComparison.Ordinal);
            Assert.True(convicted.Facts.Reason.Length <= ProtocolLimits.ReasonCharacters);
        }
    }

    private static IEnumerable<SignedReceipt> Signed(CheckedCluster.Served served, int hop) => served.Receipts(hop).Select(signed => new SignedReceipt(signed.Receipt, signed.Signature));

    private static IModelSource Open() => ModelFolder.Open(SharedModels.Model("stories260K"));

    private static ReplayOutcome Replay(WorkProof proof)
    {
        using var source = Open();
        using var named = new NamedSource(source, TestSessions.Model);
        return ProofReplay.Replay(proof, named, 1, long.MaxValue, default);
    }

    private IModelSource Source()
    {
        var source = Open();
        _open.Add(source);
        return source;
    }

    /// <summary>A session of which all devices of a hop lie.</summary>
    private AuditedSession Run(int hop, string behaviour, float temperature, bool isStrict, TrustSettings? trust = null)
    {
        var source = Source();
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var settings = new GenerationSettings { MaxTokens = 40, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = temperature, Seed = 11 } };
        var session = new AuditedSession(
            source,
            Facts.Model('a', "tiny", source.Shape.Layers) with { Model = TestSessions.Model, HiddenSize = source.Shape.HiddenSize },
            [.. Enumerable.Range(0, 12).Select(number => (Ranges[number / 4], number / 4 == hop ? Saboteur.Parse(behaviour, 7) : null))],
            Prompt, settings, Limits, new AnswerText(tokenizer, settings, source.Shape.EndTokens), 7, isStrict, trust: trust);
        _open.Add(session);
        session.Run();
        return session;
    }
}
