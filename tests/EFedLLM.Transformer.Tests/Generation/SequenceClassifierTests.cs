using System.Text.Json;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Checkpoints;

namespace EFedLLM.Transformer.Tests.Generation;

/// <summary>The real classifier against the reference's results.</summary>
public sealed class SequenceClassifierTests
{
    private const string Model = "bert-tiny-sst2";

    [SharedFact]
    public void Sentences_get_the_logits_of_the_reference()
    {
        using var team = new ComputeTeam(2);
        using var classifier = SequenceClassifier.Open(SharedModels.Model(Model), team);
        Assert.Equal(2, classifier.Classes);
        foreach (var sentence in SharedModels.Golden(Model).GetProperty("sentences").EnumerateArray())
        {
            var logits = classifier.Classify(sentence.GetProperty("text").GetString()!);

            // The reference is float64, printed with seven digits.
            Assert.All(Floats(sentence, "logits").Zip(logits), pair => Assert.Equal(pair.First, pair.Second, 5e-6));
        }
    }

    [SharedFact]
    public void The_dev_set_gets_the_predictions_of_the_reference()
    {
        using var team = new ComputeTeam(2);
        using var classifier = SequenceClassifier.Open(SharedModels.Model(Model), team);
        var golden = SharedModels.Golden(Model).GetProperty("labelled_set");
        var rows = File.ReadLines(SharedModels.Data("sst2/dev.tsv")).Skip(1).Select(line => line.Split('\t')).ToArray();

        var logits = rows.Chunk(64).SelectMany(batch => classifier.Classify([.. batch.Select(row => row[0])])).ToArray();

        Assert.Equal(golden.GetProperty("predictions").GetString(), string.Concat(logits.Select(pair => pair[1] > pair[0] ? '1' : '0')));
        Assert.Equal(golden.GetProperty("correct").GetInt32(), rows.Zip(logits).Count(pair => pair.Second[1] > pair.Second[0] == (pair.First[1] == "1")));
        var loss = rows.Zip(logits).Average(pair => Math.Log(1 + Math.Exp(pair.Second[1 - int.Parse(pair.First[1])] - pair.Second[int.Parse(pair.First[1])])));
        Assert.Equal(golden.GetProperty("mean_cross_entropy").GetDouble(), loss, 1e-6);
    }

    [SharedFact]
    public void A_model_that_generates_is_no_classifier()
    {
        using var team = new ComputeTeam(1);

        Assert.Contains("classifier", Assert.Throws<NotSupportedException>(() => SequenceClassifier.Open(SharedModels.Model("stories260K"), team)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bare_encoder_is_no_classifier()
    {
        using var checkpoint = TinyBert.Random(seed: 1, classifies: false);
        using var team = new ComputeTeam(1);

        Assert.Contains("BertModel", Assert.Throws<NotSupportedException>(() => SequenceClassifier.Open(checkpoint.Source.Folder, team)).Message, StringComparison.Ordinal);
    }

    private static IEnumerable<double> Floats(JsonElement parent, string name) => parent.GetProperty(name).EnumerateArray().Select(value => value.GetDouble());
}
