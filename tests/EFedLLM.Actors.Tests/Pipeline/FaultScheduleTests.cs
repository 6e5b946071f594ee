using System.Collections.Immutable;
using System.Diagnostics;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>Thousands of schedules of faults (see <see cref="FaultyCluster"/>), each compared bit by bit with the answer of one process.</summary>
public sealed class FaultScheduleTests(ITestOutputHelper output)
{
    private const int Schedules = 2500;

    private static readonly ImmutableArray<int> Prompt = [1, 403, 407, 261, 378, 432, 10, 77, 300, 12, 45, 9, 260];

    private static readonly NodeLimits Limits = TestLimits.Reference with { PromptChunk = 4, Drafts = 7 };

    [SharedTheory]
    [InlineData(0f, 9, false, false)]
    [InlineData(0.9f, 9, true, false)]
    [InlineData(0f, 0, true, false)]
    [InlineData(0.9f, 30, false, true)]
    [InlineData(0f, 30, false, false, true)]
    [InlineData(0.3f, 30, false, true, true)]
    public void Whatever_messages_are_lost_doubled_late_or_out_of_order_and_whoever_dies_or_leaves_the_answer_is_the_same(
        float temperature, int tokens, bool isScored, bool isAudited, bool isCopying = false)
    {
        var settings = new GenerationSettings { MaxTokens = tokens, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = temperature, Seed = 11 } };
        using var source = ModelFolder.Open(SharedModels.Model("stories260K"));
        using var team = new ComputeTeam(1);
        var tokenizer = ModelTokenizer.Load(source.Folder);
        var prompt = isCopying ? Copying(source, team, tokenizer) : Prompt;
        var expected = (Scores: isScored ? Scores(source, team, settings.Sampling) : "", Tokens: tokens > 0 ? Answer(source, team, prompt, settings, tokenizer) : "");
        var shards = FaultyCluster.Ranges.ToDictionary(range => range, range => TransformerShard.Load(source, range));
        var model = Facts.Model('a', "tiny", source.Shape.Layers);
        var first = Environment.GetEnvironmentVariable("EFEDLLM_SEED") is { Length: > 0 } seed ? int.Parse(seed, System.Globalization.CultureInfo.InvariantCulture) : 1;
        var (drafted, accepted) = (0, 0);
        var truth = new SignedTruth(source, team, prompt, tokens, settings.Sampling);
        var (faults, repaired, away, most, opened, standing, watch) = (new SortedDictionary<string, int>(StringComparer.Ordinal), 0, 0, 0, 0, 0, Stopwatch.StartNew());
        for (var schedule = first; schedule < first + Schedules; schedule++)
        {
            var cluster = new FaultyCluster(
                schedule, model, shards, team, Limits, source.Shape.VocabularySize, prompt, settings, new AnswerText(tokenizer, settings, source.Shape.EndTokens), isScored, isAudited);
            try
            {
                cluster.Run();
                Check(cluster, expected);
                truth.Check(cluster.Signed());
                opened += cluster.Opened;
                standing += cluster.Standing;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Schedule {schedule} (run it first with EFEDLLM_SEED={schedule}): {e.Message}{string.Concat(cluster.Notes.TakeLast(12).Select(note => $"{Environment.NewLine}{note}"))}", e);
            }

            if (cluster.Told.OfType<GenerationFinished>().LastOrDefault() is { Timing: var timing })
            {
                (drafted, accepted) = (drafted + timing.DraftedTokens, accepted + timing.AcceptedTokens);
            }

            away += cluster.IsTurnedAway ? 1 : 0;
            repaired += cluster.Epochs > 1 ? 1 : 0;
            most = Math.Max(most, cluster.Epochs);
            foreach (var (kind, count) in cluster.Faults)
            {
                faults[kind] = faults.GetValueOrDefault(kind) + count;
            }
        }

        output.WriteLine($"{Schedules} schedules from seed {first} in {watch.Elapsed.TotalSeconds:0.0} s; {repaired} were repaired, one in {most} epochs; {away} were turned away before they began.");
        Assert.InRange(away, 0, Schedules / 5);
        output.WriteLine($"{truth.Checked} receipts were right, {truth.Cut} of them about fewer than 16 positions; for {standing} a signature stands that nothing is missing before.");
        Assert.True(standing >= truth.Checked / 2);
        Assert.True(truth.Checked > (tokens > 0 ? Schedules : 0));
        output.WriteLine($"{drafted} tokens were guessed, {accepted} of them rightly.");
        Assert.True(!isCopying || (accepted > Schedules && drafted - accepted > Schedules));
        output.WriteLine($"{opened} times somebody was asked to open what it keeps.");
        Assert.Equal(isAudited, opened > Schedules / 10);
        foreach (var (kind, count) in faults)
        {
            output.WriteLine($"{kind}: {count}");
        }

        // Every message of a session met every fault; where nothing is drawn some of them are rare.
        string[] messages =
        [
            nameof(OpenSession), nameof(SessionOpened), nameof(ResumeSession), nameof(FeedTokens), nameof(FeedHidden), nameof(HiddenReceived), nameof(TokenSampled),
            nameof(RowsComputed), nameof(CloseSession), nameof(SessionMoving), nameof(StepRejected),
        ];
        Assert.All(tokens > 0 ? messages : [], message => Assert.All((string[])["lost", "doubled", "delayed", "reordered"], fault => Assert.True(faults.GetValueOrDefault($"{message} {fault}") > 0, $"{message} {fault}")));
        foreach (var shard in shards.Values)
        {
            shard.Dispose();
        }
    }

    /// <summary>What the model says of a short prompt, and the prompt again: much of what it says then is guessed, rightly and wrongly.</summary>
    private static ImmutableArray<int> Copying(IModelSource source, ComputeTeam team, ModelTokenizer tokenizer)
    {
        using var generator = new LocalGenerator(source, team);
        var start = Prompt[..5];
        var settings = new GenerationSettings { MaxTokens = 20, IgnoreEndTokens = true, Sampling = new SamplingSettings { Temperature = 0 } };
        return [.. start, .. generator.Generate(start.AsMemory(), settings, tokenizer).OfType<GeneratedToken>().Select(token => token.Choice.Id), .. start];
    }

    private static string Answer(IModelSource source, ComputeTeam team, ImmutableArray<int> prompt, GenerationSettings settings, ModelTokenizer tokenizer)
    {
        using var generator = new LocalGenerator(source, team);
        return Line(generator.Generate(prompt.AsMemory(), settings, tokenizer).OfType<GeneratedToken>().Select(token => token.Choice));
    }

    private static string Scores(IModelSource source, ComputeTeam team, SamplingSettings sampling)
    {
        using var shard = TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers));
        using var cache = shard.CreateCache(Prompt.Length);
        var (rows, vocabulary, sampler) = (Prompt.Length - 1, source.Shape.VocabularySize, new Sampler());
        var logits = new float[rows * vocabulary];
        shard.Forward([new ShardStep { Cache = cache, Count = rows, Tokens = Prompt[..rows].ToArray(), Hidden = new float[rows * source.Shape.HiddenSize], LogitRows = rows, Logits = logits }], team);
        return Line(Enumerable.Range(0, rows).Select(row => sampler.Score(logits.AsSpan(row * vocabulary, vocabulary), Prompt[row + 1], sampling)));
    }

    private static void Check(FaultyCluster cluster, (string Scores, string Tokens) expected)
    {
        Assert.Equal(0, cluster.Left);
        if (cluster.IsTurnedAway)
        {
            Assert.Empty(cluster.Told);
            return;
        }

        Assert.IsType<GenerationStarted>(cluster.Told.FirstOrDefault());
        var finished = cluster.Told[^1] as GenerationFinished ?? throw new InvalidOperationException($"It ended with {cluster.Told[^1]}.");
        Assert.Equal(FinishReason.Length, finished.Reason);
        var scores = cluster.Told.OfType<PromptScored>().ToArray();
        var tokens = cluster.Told.OfType<TokenGenerated>().ToArray();
        Assert.Equal(cluster.Told.Count, 2 + scores.Length + tokens.Length);
        var index = 1;
        foreach (var score in scores)
        {
            Assert.Equal(index, score.Index);
            index += score.Choices.Length;
        }

        Assert.Equal(expected.Scores, Line(scores.SelectMany(score => score.Choices)));
        Assert.Equal(Enumerable.Range(0, tokens.Length), tokens.Select(token => token.Index));
        Assert.Equal(expected.Tokens, Line(tokens.Select(token => token.Choice)));
    }

    private static string Line(IEnumerable<TokenChoice> choices) => string.Join(' ', choices.Select(choice => $"{choice.Id}/{BitConverter.SingleToInt32Bits(choice.Logprob):x8}"));
}
