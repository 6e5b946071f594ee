using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>What is right to sign about one answer, wherever its route is cut: computed once, unit of the model by unit.</summary>
internal sealed class SignedTruth
{
    private readonly int _units;
    private readonly Digest[][] _between; // [unit, position]: what comes in there
    private readonly Half[][][] _kept; // [unit, position]: what it adds to the unit's cache
    private readonly Digest[] _drawn; // [position]

    /// <summary>Computes an answer.</summary>
    /// <param name="source">The model.</param>
    /// <param name="team">The threads.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="tokens">Number of tokens of the answer.</param>
    /// <param name="sampling">How they are drawn.</param>
    public SignedTruth(IModelSource source, ComputeTeam team, IReadOnlyList<int> prompt, int tokens, SamplingSettings sampling)
    {
        _units = source.Shape.Units;
        var (width, vocabulary, sampler) = (source.Shape.HiddenSize, source.Shape.VocabularySize, new Sampler());
        var (known, length) = (prompt.ToList(), prompt.Count + tokens - 1);
        var shards = Enumerable.Range(0, _units).Select(unit => TransformerShard.Load(source, new LayerRange(unit, unit + 1))).ToArray();
        var caches = shards.Select(shard => shard.CreateCache(length)).ToArray();
        _between = [.. Enumerable.Range(0, _units).Select(_ => new Digest[length])];
        _kept = [.. caches.Select(cache => Enumerable.Range(0, length).Select(_ => new Half[cache.PositionValues]).ToArray())];
        _drawn = new Digest[length];
        for (var position = 0; position < length; position++)
        {
            var (hidden, logits) = (new float[width], new float[vocabulary]);
            _between[0][position] = PositionDigest.OfToken(known[position]);
            for (var unit = 0; unit < _units; unit++)
            {
                var isHead = unit == _units - 1;
                shards[unit].Forward(
                    [new ShardStep { Cache = caches[unit], Count = 1, Tokens = new[] { known[position] }, Hidden = hidden, LogitRows = isHead ? 1 : 0, Logits = isHead ? logits : default }], team);
                if (_kept[unit][position].Length > 0)
                {
                    caches[unit].Export(position, 0, _kept[unit][position]);
                }

                if (!isHead)
                {
                    _between[unit + 1][position] = PositionDigest.OfRow(hidden);
                }
            }

            var choice = sampler.Draw(logits, sampling, position + 1);
            _drawn[position] = PositionDigest.OfDraw(choice.Id, choice.Logprob);
            if (position + 1 == known.Count)
            {
                known.Add(choice.Id);
            }
        }

        foreach (var shard in shards)
        {
            shard.Dispose();
        }
    }

    /// <summary>Receipts that were right.</summary>
    public int Checked { get; private set; }

    /// <summary>Those of them about fewer positions than a unit has.</summary>
    public int Cut { get; private set; }

    /// <summary>Fails where a receipt is wrong, or two of one hop in one epoch are about the same position.</summary>
    public void Check(IReadOnlyList<Receipt> receipts)
    {
        foreach (var receipt in receipts.Distinct())
        {
            var (from, end) = (receipt.Position, receipt.Position + receipt.Rows);
            Assert.True(end <= UnitCut.EndOf(from), $"{receipt} reaches across a multiple of 16.");
            Assert.True(Merkle.Root(_between[receipt.Range.First].AsSpan(from..end)) == receipt.InRoot, $"{receipt} is wrong about what came in.");
            Assert.True(
                receipt.Range.End < _units ? Merkle.Root(_between[receipt.Range.End].AsSpan(from..end)) == receipt.OutRoot : IsDrawn(from, end, receipt.OutRoot),
                $"{receipt} is wrong about what went out.");
            Digest[] kept = [.. Enumerable.Range(from, receipt.Rows).Select(position => PositionDigest.OfRow(_kept[receipt.Range.First..receipt.Range.End].SelectMany(unit => unit[position]).ToArray()))];
            Assert.True(Merkle.Root(kept) == receipt.KvRoot, $"{receipt} is wrong about what is kept.");
            Checked++;
            Cut += receipt.Rows < UnitCut.Rows ? 1 : 0;
        }

        foreach (var hop in receipts.Distinct().GroupBy(receipt => (receipt.Epoch, receipt.HopIndex)))
        {
            var previous = default(Receipt);
            foreach (var receipt in hop.OrderBy(receipt => receipt.Position))
            {
                Assert.True(previous is null || receipt.Position >= previous.Position + previous.Rows, $"{receipt} is about what {previous} is about.");
                previous = receipt;
            }
        }
    }

    /// <summary>Whether it is the root of nothing drawn after the first positions, and of a draw after each of the others.</summary>
    private bool IsDrawn(int from, int end, Digest root)
    {
        for (var first = from; first <= end; first++)
        {
            Digest[] leaves = [.. new Digest[first - from], .. _drawn[first..end]];
            if (Merkle.Root(leaves) == root)
            {
                return true;
            }
        }

        return false;
    }
}
