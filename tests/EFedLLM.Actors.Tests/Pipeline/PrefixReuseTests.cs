using System.Collections.Immutable;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>Conversations of a real model in which one prompt begins as another did, each answer compared bit by bit with that of one process.</summary>
public sealed class PrefixReuseTests(ITestOutputHelper output)
{
    private const int Page = KvCache.PagePositions;
    private const int Context = 512;

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 50 };

    private static readonly LayerRange[][] Layouts =
    [
        [new(0, 7)],
        [new(0, 3), new(3, 7)],
        [new(0, 1), new(1, 4), new(4, 6), new(6, 7)],
        [new(0, 3), new(3, 7), new(0, 3), new(3, 7)],
    ];

    [SharedFact]
    public void The_next_turn_of_a_conversation_computes_only_what_is_new_and_so_does_another_with_the_same_beginning()
    {
        using var model = new Tiny();
        foreach (var layout in Layouts[..3])
        {
            var cluster = model.Cluster(1, layout, 16 * Context, 0.9);
            var known = new List<int[]>();
            var random = new Random(5);
            for (var turn = 0; turn < 12; turn++)
            {
                var old = turn == 0 ? [] : known[random.Next(known.Count)];
                int[] prompt = [.. old[..(random.Next(3) == 0 ? random.Next(old.Length + 1) : old.Length)], .. Tiny.Tokens(random, random.Next(1, 60))];
                prompt = prompt[..Math.Min(prompt.Length, Context - 40)];
                var settings = Tiny.Settings(random, Math.Min(40, Context - prompt.Length));
                var session = cluster.Ask([.. prompt], settings, model.Answer(settings));
                cluster.Run();
                model.Check(session, settings);

                // Of each text everything was computed but its last token.
                var same = known.Select(text => text.AsSpan()[..^1].CommonPrefixLength(prompt)).DefaultIfEmpty().Max();
                var expected = Math.Min(same, prompt.Length - 1) / Page * Page;
                Assert.Equal(expected, Tiny.Cached(session));
                Assert.Equal(prompt.Length - expected + settings.MaxTokens - 1, session.Fed);
                known.Add([.. prompt, .. Tiny.Drawn(session).Select(choice => choice.Id)]);
            }

            Assert.Equal(0, cluster.Left);
            Assert.Contains(known, text => text.Length > 4 * Page);
        }
    }

    [SharedFact]
    public void Whatever_conversations_run_at_once_and_whoever_dies_the_answers_are_those_without_reuse_and_the_memory_suffices()
    {
        var seed = Environment.GetEnvironmentVariable("EFEDLLM_SEED") is { Length: > 0 } given ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture) : Environment.TickCount;
        output.WriteLine($"seed {seed}");
        using var model = new Tiny();
        var (asked, reused, cached, deaths, refused) = (0, 0, 0L, 0, 0);
        for (var round = 0; round < 20; round++)
        {
            var random = new Random(seed + round);
            var layout = Layouts[random.Next(Layouts.Length)];
            var cluster = model.Cluster(seed + round, layout, random.Next(2) == 0 ? 3 * Context : 12 * Context, random.NextDouble());
            var known = new List<int[]> { Tiny.Tokens(random, 300) };
            for (var wave = 0; wave < 4; wave++)
            {
                var sessions = Enumerable.Range(0, random.Next(1, 4)).Select(_ =>
                {
                    var old = known[random.Next(known.Count)];
                    int[] prompt = [.. old[..random.Next(old.Length + 1)], .. Tiny.Tokens(random, random.Next(1, 100))];
                    prompt = prompt[..Math.Min(prompt.Length, Context - 30)];
                    var settings = Tiny.Settings(random, random.Next(1, 30));
                    return (Session: cluster.Ask([.. prompt], settings, model.Answer(settings), tenant: random.Next(3) == 0 ? "other" : "", isReusing: random.Next(5) > 0), Settings: settings);
                }).ToArray();
                if (random.Next(3) == 0)
                {
                    cluster.Run(random.Next(1, 60));
                    cluster.Kill(random.Next(layout.Length));
                    deaths++;
                }

                cluster.Run();
                foreach (var (session, settings) in sessions)
                {
                    Assert.True(session.IsOver);
                    if (session.Refusal is not null)
                    {
                        refused++;
                        continue;
                    }

                    model.Check(session, settings);
                    (asked, reused, cached) = (asked + 1, reused + (Tiny.Cached(session) > 0 ? 1 : 0), cached + Tiny.Cached(session));
                    known.Add([.. session.Plan.Tokens, .. Tiny.Drawn(session).Select(choice => choice.Id)]);
                }
            }

            Assert.Equal(0, cluster.Left);
        }

        output.WriteLine($"{asked} answers, {reused} of which began with {cached} tokens from before; {deaths} devices died; {refused} sessions were turned away.");
        Assert.True(reused > 0);
        Assert.True(asked > refused);
    }

    [SharedFact]
    public void A_device_that_takes_a_lost_ones_place_has_no_pages_and_is_given_the_whole_beginning()
    {
        using var model = new Tiny();
        for (var lost = 0; lost < 2; lost++)
        {
            var cluster = model.Cluster(7, Layouts[1], 16 * Context, 0.5);
            var (random, settings) = (new Random(3), new GenerationSettings { MaxTokens = 20, IgnoreEndTokens = true });
            var prompt = Tiny.Tokens(random, 200).ToImmutableArray();
            cluster.Ask(prompt, settings, model.Answer(settings));
            cluster.Run();
            var second = cluster.Ask(prompt, settings, model.Answer(settings));
            while (second.Told.OfType<TokenGenerated>().Count() < 5)
            {
                cluster.Run(1);
            }

            Assert.Equal(200 - (3 * Page) + 5, second.Fed);
            cluster.Kill(lost);
            cluster.Run();
            model.Check(second, settings);

            // All of it again, so that nothing was spared: nobody kept what the first hop gave for positions that it did not compute.
            Assert.InRange(second.Fed, 200 - (3 * Page) + 5 + 204, 200 - (3 * Page) + 20 + 206);

            Assert.Equal(0, Tiny.Cached(second));

            // What a repaired session computed is kept under no name: the device that was lost may have been wrong.
            var third = cluster.Ask(prompt, settings, model.Answer(settings));
            cluster.Run();
            model.Check(third, settings);
            Assert.Equal(0, Tiny.Cached(third));
            var fourth = cluster.Ask(prompt, settings, model.Answer(settings));
            cluster.Run();
            model.Check(fourth, settings);
            Assert.Equal(3 * Page, Tiny.Cached(fourth));
        }
    }

    [SharedFact]
    public void Tenants_share_nothing_and_a_session_of_which_nothing_is_to_be_known_neither()
    {
        using var model = new Tiny();
        var cluster = model.Cluster(9, Layouts[1], 16 * Context, 0.5);
        var settings = new GenerationSettings { MaxTokens = 3, IgnoreEndTokens = true };
        var prompt = Tiny.Tokens(new Random(4), 150).ToImmutableArray();
        Assert.Equal(0, Ask("one"));
        Assert.Equal(0, Ask("two"));
        Assert.Equal(0, Ask(""));
        Assert.Equal(0, Ask("one", isReusing: false));
        Assert.Equal(2 * Page, Ask("one"));
        Assert.Equal(2 * Page, Ask(""));

        int Ask(string tenant, bool isReusing = true)
        {
            var session = cluster.Ask(prompt, settings, model.Answer(settings), tenant, isReusing);
            cluster.Run();
            model.Check(session, settings);
            return Tiny.Cached(session);
        }
    }

    /// <summary>A small model and its answers.</summary>
    private sealed class Tiny : IDisposable
    {
        private readonly IModelSource _source = ModelFolder.Open(SharedModels.Model("stories260K"));
        private readonly ComputeTeam _team = new(1);
        private readonly ModelTokenizer _tokenizer;
        private readonly LocalGenerator _generator;
        private readonly Dictionary<LayerRange, TransformerShard> _shards;

        public Tiny()
        {
            _tokenizer = ModelTokenizer.Load(_source.Folder);
            _generator = new LocalGenerator(_source, _team);
            _shards = Layouts.SelectMany(layout => layout).Distinct().ToDictionary(range => range, range => TransformerShard.Load(_source, range));
        }

        public static int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(3, 500))];

        public static GenerationSettings Settings(Random random, int tokens) => new()
        {
            MaxTokens = tokens,
            IgnoreEndTokens = true,
            Sampling = new SamplingSettings { Temperature = random.Next(2), Seed = (ulong)random.Next() },
        };

        public static int Cached(SharingCluster.Running session) => Assert.IsType<GenerationFinished>(session.Told[^1]).Timing.CachedTokens;

        public static IEnumerable<TokenChoice> Drawn(SharingCluster.Running session) => session.Told.OfType<TokenGenerated>().Select(token => token.Choice);

        public SharingCluster Cluster(int seed, LayerRange[] layout, int positions, double share)
        {
            var cluster = new SharingCluster(seed, Facts.Model('a', "tiny", _source.Shape.Layers), _shards, _team, Limits);
            foreach (var range in layout)
            {
                cluster.Add(range, positions, share);
            }

            return cluster;
        }

        public AnswerText Answer(GenerationSettings settings) => new(_tokenizer, settings, _source.Shape.EndTokens);

        public void Check(SharingCluster.Running session, GenerationSettings settings) => Assert.Equal(
            Line(_generator.Generate(session.Plan.Tokens.AsMemory(), settings, _tokenizer).OfType<GeneratedToken>().Select(token => token.Choice)), Line(Drawn(session)));

        public void Dispose()
        {
            _generator.Dispose();
            foreach (var shard in _shards.Values)
            {
                shard.Dispose();
            }

            _team.Dispose();
            _source.Dispose();
        }

        private static string Line(IEnumerable<TokenChoice> choices) => string.Join(' ', choices.Select(choice => $"{choice.Id}/{BitConverter.SingleToInt32Bits(choice.Logprob):x8}"));
    }
}
