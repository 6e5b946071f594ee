using System.Diagnostics;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Bench;

/// <summary>Measures a model in this process, without a cluster: what the kernels give, and what a cluster is compared with.</summary>
internal static class ProcessBench
{
    /// <summary>Measures prefill and decode.</summary>
    /// <param name="model">The model.</param>
    /// <param name="threads">Compute threads.</param>
    /// <param name="settings">How long and how often.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    public static IReadOnlyList<BenchSample> Run(FactoredModel model, int threads, BenchSettings settings, CancellationToken cancellation)
    {
        var shape = model.Shape;
        using var shard = TransformerShard.Load(model, LayerRange.Whole(shape.Layers));
        using var team = new ComputeTeam(threads);
        var run = new Session(shard, team, settings);
        var prefill = new List<double>();
        var decode = new List<double>();
        long allocated = 0;
        using var cache = shard.CreateCache(settings.PromptTokens + settings.DecodeTokens);
        for (var repetition = 0; repetition <= settings.Repetitions; repetition++)
        {
            cancellation.ThrowIfCancellationRequested();
            cache.Truncate(0);
            var read = run.Prefill(cache);
            var generated = run.Decode(cache, cancellation);
            allocated = run.AllocatedByOneToken(cache);
            if (repetition > 0)
            {
                prefill.Add(settings.PromptTokens / read.TotalSeconds);
                decode.Add(settings.DecodeTokens / generated.TotalSeconds);
            }
        }

        double bytes = model.Manifest.ReadBytesPerToken;
        return
        [
            Sample("prefill", settings.PromptTokens, prefill, bytes * settings.PromptSteps / settings.PromptTokens, null),
            Sample("decode", settings.DecodeTokens, decode, bytes, allocated),
        ];

        BenchSample Sample(string phase, int tokens, List<double> rates, double read, double? allocations)
        {
            var rate = Statistics.Quantile(rates, 0.5);
            return new BenchSample("this process", phase, threads, 0, tokens, rate, Statistics.Deviation(rates), read, rate * read / 1e9, null, null, allocations);
        }
    }

    /// <summary>The buffers of all repetitions.</summary>
    private sealed class Session
    {
        private readonly TransformerShard _shard;
        private readonly ComputeTeam _team;
        private readonly BenchSettings _settings;
        private readonly int[] _prompt;
        private readonly float[] _hidden;
        private readonly float[] _logits;
        private readonly int[] _token = [0];
        private readonly Sampler _sampler = new();
        private readonly ShardStep[] _steps;

        public Session(TransformerShard shard, ComputeTeam team, BenchSettings settings)
        {
            (_shard, _team, _settings) = (shard, team, settings);
            _prompt = settings.Prompt(shard.Shape.VocabularySize);
            _hidden = new float[Math.Min(settings.Chunk, settings.PromptTokens) * shard.Shape.HiddenSize];
            _logits = new float[shard.Shape.VocabularySize];
            _steps = [new ShardStep { Cache = null! }];
        }

        public TimeSpan Prefill(Transformer.Caching.KvCache cache)
        {
            var start = Stopwatch.GetTimestamp();
            for (var position = 0; position < _prompt.Length; position += _settings.Chunk)
            {
                var count = Math.Min(_settings.Chunk, _prompt.Length - position);
                Step(cache, _prompt.AsMemory(position, count), position + count == _prompt.Length);
            }

            _token[0] = _sampler.Draw(_logits, SamplingSettings.Greedy, _prompt.Length).Id;
            return Stopwatch.GetElapsedTime(start);
        }

        public TimeSpan Decode(Transformer.Caching.KvCache cache, CancellationToken cancellation)
        {
            var start = Stopwatch.GetTimestamp();
            for (var index = 0; index < _settings.DecodeTokens; index++)
            {
                cancellation.ThrowIfCancellationRequested();
                Step(cache, _token, true);
                _token[0] = _sampler.Draw(_logits, SamplingSettings.Greedy, cache.Length).Id;
            }

            return Stopwatch.GetElapsedTime(start);
        }

        /// <summary>
        /// Bytes allocated to compute one token, without the pages by which the cache grows: a position is computed again and again.
        /// Of two neighbouring positions one is not the first of a page.
        /// </summary>
        public long AllocatedByOneToken(Transformer.Caching.KvCache cache)
        {
            var length = cache.Length;
            return Math.Min(At(length - 1), At(length - 2));

            long At(int position)
            {
                const int Repeats = 8;
                var before = GC.GetAllocatedBytesForCurrentThread();
                for (var repeat = 0; repeat < Repeats; repeat++)
                {
                    cache.Truncate(position);
                    Step(cache, _token, true);
                    _sampler.Draw(_logits, SamplingSettings.Greedy, cache.Length);
                }

                return (GC.GetAllocatedBytesForCurrentThread() - before) / Repeats;
            }
        }

        private void Step(Transformer.Caching.KvCache cache, ReadOnlyMemory<int> tokens, bool draw)
        {
            var step = _steps[0];
            step.Cache = cache;
            step.Count = tokens.Length;
            step.Tokens = tokens;
            step.Hidden = _hidden.AsMemory(0, tokens.Length * _shard.Shape.HiddenSize);
            step.LogitRows = draw ? 1 : 0;
            step.Logits = draw ? _logits : default(Memory<float>);
            _shard.Forward(_steps, _team);
        }
    }
}
