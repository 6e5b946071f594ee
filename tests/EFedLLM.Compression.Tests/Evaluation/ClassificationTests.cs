using EFedLLM.Compression.Evaluation;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Compression.Tests.Evaluation;

public sealed class ClassificationTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Labelled_texts_are_read_line_by_line() => Assert.Equal(
        [new LabelledText("a fine film ", 1), new LabelledText("dull", 0)],
        LabelledTexts.Read(new StringReader("sentence\tlabel\r\na fine film \t1\r\n\ndull\t0"), "x"));

    [Theory]
    [InlineData("", "heading")]
    [InlineData("a fine film\t1\n", "heading")]
    [InlineData("index\tsentence\n0\tdull\n", "heading")]
    [InlineData("sentence\tlabel\n", "no text")]
    [InlineData("sentence\tlabel\ndull\n", "Line 2")]
    [InlineData("sentence\tlabel\nfine\t1\ndull\t0\t0\n", "Line 3")]
    [InlineData("sentence\tlabel\n\t1\n", "no sentence")]
    [InlineData("sentence\tlabel\ndull\tbad\n", "\"bad\"")]
    [InlineData("sentence\tlabel\ndull\t-1\n", "\"-1\"")]
    [InlineData("sentence\tlabel\ndull\t99999999999\n", "\"99999999999\"")]
    public void A_malformed_file_is_refused_by_its_line(string content, string expected) => Assert.Contains(
        expected, Assert.Throws<InvalidDataException>(() => LabelledTexts.Read(new StringReader(content), "x.tsv")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_file_that_is_missing_too_long_or_no_text_is_refused()
    {
        Assert.Throws<FileNotFoundException>(() => LabelledTexts.Read(_scratch.File("none.tsv")));
        File.WriteAllBytes(_scratch.File("bytes.tsv"), [.. "sentence\tlabel\n"u8, 0xC3, 0x28, .. "\t1\n"u8]);
        Assert.Contains("UTF-8", Assert.Throws<InvalidDataException>(() => LabelledTexts.Read(_scratch.File("bytes.tsv"))).Message, StringComparison.Ordinal);
        using (var stream = File.Create(_scratch.File("long.tsv")))
        {
            stream.SetLength(LabelledTexts.MostBytes + 1);
        }

        Assert.Throws<InvalidDataException>(() => LabelledTexts.Read(_scratch.File("long.tsv")));
    }

    [SharedFact]
    public void The_development_set_of_sst2_is_read_whole()
    {
        var texts = LabelledTexts.Read(SharedModels.Data("sst2/dev.tsv"));
        Assert.Equal((872, 444), (texts.Count, texts.Count(text => text.Label == 1)));
        Assert.Equal("it 's a charming and often affecting journey . ", texts[0].Text);
    }

    [Fact]
    public void Accuracy_and_cross_entropy_are_those_of_the_logits()
    {
        LabelledText[] texts = [new("3 1", 0), new("0 2", 1), new("5 5", 1), new("-1 2", 0)];
        var seen = new List<int>();
        var scores = ClassificationMeter.Measure(new Reader(), texts, new Listener(seen));
        Assert.Equal((4, 2, 0.5), (scores.Texts, scores.Correct, scores.Accuracy));
        double[] costs = [Math.Log(1 + Math.Exp(-2)), Math.Log(1 + Math.Exp(-2)), Math.Log(2), Math.Log(1 + Math.Exp(3))];
        Assert.Equal(costs.Average(), scores.MeanCrossEntropy, 1e-12);
        Assert.Equal([4], seen);
    }

    [SharedFact]
    public void A_real_classifier_has_the_reference_s_accuracy_and_cross_entropy()
    {
        using var team = new ComputeTeam(2);
        using var model = SequenceClassifier.Open(SharedModels.Model("bert-tiny-sst2"), team);
        var golden = SharedModels.Golden("bert-tiny-sst2").GetProperty("labelled_set");
        var scores = ClassificationMeter.Measure(new EncoderClassifier(model), LabelledTexts.Read(SharedModels.Data("sst2/dev.tsv")));
        Assert.Equal((golden.GetProperty("rows").GetInt32(), golden.GetProperty("correct").GetInt32()), (scores.Texts, scores.Correct));
        Assert.Equal(golden.GetProperty("mean_cross_entropy").GetDouble(), scores.MeanCrossEntropy, 1e-5);
    }

    [Fact]
    public void What_cannot_be_classified_is_refused()
    {
        Assert.Throws<ArgumentException>(() => ClassificationMeter.Measure(new Reader(), []));
        Assert.Throws<ArgumentException>(() => ClassificationMeter.Measure(new Reader(), [new("1 2", 2)]));
        Assert.Throws<ArithmeticException>(() => ClassificationMeter.Measure(new Reader(), [new("NaN 2", 1)]));
        Assert.Throws<OperationCanceledException>(() => ClassificationMeter.Measure(new Reader(), [new("1 2", 1)], null, new CancellationToken(canceled: true)));
    }

    /// <summary>Takes the logits from the text.</summary>
    private sealed class Reader : ITextClassifier
    {
        public int Classes => 2;

        public float[][] Classify(IReadOnlyList<string> texts) => [.. texts.Select(text => text.Split(' ').Select(float.Parse).ToArray())];
    }

    private sealed class Listener(List<int> seen) : IProgress<int>
    {
        public void Report(int value) => seen.Add(value);
    }
}
