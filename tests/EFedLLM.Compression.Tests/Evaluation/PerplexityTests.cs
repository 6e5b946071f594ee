using System.Text.Json;
using EFedLLM.Compression.Evaluation;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Tests.Evaluation;

public sealed class PerplexityTests : IDisposable
{
    private const int Scored = 4096;
    private const int Chunk = 256;

    private readonly ScratchFolder _scratch = new();
    private readonly ComputeTeam _team = new(2);

    public void Dispose()
    {
        _team.Dispose();
        _scratch.Dispose();
    }

    [SharedTheory]
    [InlineData("efed-mini", 0)]
    [InlineData("stories260K", 1)]
    [InlineData("stories3M", 1)]
    [InlineData("babyllama-105", 1)]
    public void Eight_bits_keep_the_perplexity_of_every_golden_text_within_half_a_percent(string name, int startToken)
    {
        using var source = Checkpoint.Open(SharedModels.Model(name));
        using var model = FactoredModel.Open(Compressor.Run(source, _scratch.File("model"), new CompressionSettings()).Folder);
        foreach (var golden in Goldens(name))
        {
            var outcome = Evaluator.Run(model, TextOf(name, golden), new EvalSettings(startToken, 0, Scored, Chunk), _team);
            Assert.Equal(Scored, outcome.Tokens);
            var expected = golden.GetProperty("perplexity").GetDouble();
            Assert.True(
                Math.Abs(outcome.Perplexity / expected - 1) < 0.005,
                $"{golden.GetProperty("text")}: {outcome.Perplexity:F4} instead of {expected:F4} ({100 * (outcome.Perplexity / expected - 1):F3} %)");
        }
    }

    [SharedTheory]
    [InlineData("efed-mini", 0)]
    [InlineData("babyllama-105", 1)]
    public void A_checkpoint_measured_in_float32_has_the_golden_perplexity(string name, int startToken)
    {
        using var source = Checkpoint.Open(SharedModels.Model(name));
        var golden = Goldens(name).First();
        var outcome = Evaluator.Run(source, TextOf(name, golden), new EvalSettings(startToken, 0, Scored, Chunk), _team);
        Assert.Equal(golden.GetProperty("perplexity").GetDouble(), outcome.Perplexity, 1e-3);
    }

    [SharedTheory]
    [InlineData("efed-mini", 0)]
    public void A_plain_truncation_computes_end_to_end_and_the_more_it_keeps_the_less_it_loses(string name, int startToken)
    {
        using var source = Checkpoint.Open(SharedModels.Model(name));
        var golden = Goldens(name).First();
        var settings = new EvalSettings(startToken, 0, 512, Chunk);
        var reference = Evaluator.Run(source, TextOf(name, golden), settings, _team);
        var outcomes = new List<EvalOutcome>();
        foreach (var keep in new[] { 0.2, 0.4, 0.6 })
        {
            var result = Compressor.Run(source, _scratch.File($"keep-{keep}"), new CompressionSettings { Profile = CompressionProfile.Svd, Keep = keep });
            using var model = FactoredModel.Open(result.Folder);
            outcomes.Add(Evaluator.Run(model, TextOf(name, golden), settings, _team));
        }

        Assert.All(outcomes, outcome => Assert.True(double.IsFinite(outcome.Perplexity) && outcome.Perplexity > reference.Perplexity));
        Assert.Equal(outcomes.OrderByDescending(outcome => outcome.Perplexity), outcomes);
        var note = outcomes[^1].AgainstReference(reference);
        Assert.Equal((512, outcomes[^1].Perplexity, reference.Perplexity), (note.Tokens, note.Perplexity, note.ReferencePerplexity));
        Assert.Throws<ArgumentException>(() => outcomes[^1].AgainstReference(reference with { Tokens = 511 }));
    }

    [SharedTheory]
    [InlineData("babyllama-105")]
    public void A_text_is_scored_as_far_as_it_goes_and_none_is_refused(string name)
    {
        using var source = Checkpoint.Open(SharedModels.Model(name));
        Assert.InRange(Evaluator.Run(source, "Once upon a time", new EvalSettings(1, 2, Scored, Chunk), _team).Tokens, 5, 20);
        Assert.Throws<ArgumentException>(() => Evaluator.Run(source, "Once", new EvalSettings(1, 100, Scored, Chunk), _team));
        Assert.Throws<ArgumentException>(() => Evaluator.Run(source, "", new EvalSettings(1), _team));
        Assert.Throws<ArgumentOutOfRangeException>(() => Evaluator.Run(source, "Once", new EvalSettings(1, -1), _team));
        Assert.Throws<ArgumentOutOfRangeException>(() => Evaluator.Run(source, "Once", new EvalSettings(1, 0, 0), _team));
    }

    private static IEnumerable<JsonElement> Goldens(string name) => SharedModels.Golden(name).GetProperty("perplexity").EnumerateArray()
        .Where(golden => golden.GetProperty("tokens_scored").GetInt32() == Scored && golden.GetProperty("skip_tokens").GetInt32() == 0);

    private static string TextOf(string name, JsonElement golden)
    {
        var path = golden.GetProperty("text").GetString()!;
        return File.ReadAllText(path.StartsWith("data/", StringComparison.Ordinal) ? SharedModels.Data(path["data/".Length..]) : Path.Combine(SharedModels.Model(name), path));
    }
}
