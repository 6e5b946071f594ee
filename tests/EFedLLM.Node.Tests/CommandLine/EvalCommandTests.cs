using EFedLLM.Compression;
using EFedLLM.Compression.Evaluation;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Output;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.Tests.CommandLine;

public sealed class EvalCommandTests : IDisposable
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("efedllm-test-").FullName;

    private static string Checkpoint260K => SharedModels.Model("stories260K");

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    [SharedFact]
    public async Task Models_are_compared_with_the_first_checkpoint_among_them()
    {
        using var models = await EvalModels.OpenAsync([Compressed("int8"), Checkpoint260K, Compressed("svd", keep: 0.6)], null, default);
        var rows = Measure(models, 300);

        Assert.Equal(["int8", "stories260K", "svd"], rows.Select(row => row.Model));
        Assert.Equal([false, true, false], rows.Select(row => row.IsReference));
        var (int8, reference, svd) = (rows[0], rows[1], rows[2]);
        Assert.Equal((0.0, 0.0, 1.0), (reference.Scores!.MeanKl, reference.Scores.P99Kl, reference.Scores.Top1Agreement));
        Assert.InRange(int8.Scores!.MeanKl, 1e-9, 1e-3);
        Assert.InRange(int8.Scores.P99Kl, int8.Scores.MeanKl, 1e-2);
        Assert.InRange(int8.Scores.Top1Agreement, 0.97, 1);
        Assert.True(svd.Scores!.MeanKl > 100 * int8.Scores.MeanKl);
        Assert.Equal(32, reference.BitsPerWeight, 0.01);
        using var manifest = FactoredModel.Open(Path.Combine(_scratch, "int8"));
        Assert.Equal((manifest.Manifest.ReadBitsPerWeight, manifest.Manifest.ReadBytesPerToken), (int8.BitsPerWeight, int8.BytesPerToken));
        Assert.All(rows, row => Assert.True(row.TokensPerSecond > 0));
        Assert.Null(reference.LayerErrors);
        Assert.Equal(6, int8.LayerErrors!.Count);
        Assert.True(int8.LayerErrors[5] < svd.LayerErrors![5]);
    }

    [SharedFact]
    public async Task A_reference_that_was_not_asked_for_is_no_object_of_the_list()
    {
        using var models = await EvalModels.OpenAsync([Compressed("int8")], Checkpoint260K, default);
        var json = Assert.Single(new EvalReport(Measure(models, 40), models.ReferenceIsExtra, "text", "", 256).ToJson());
        Assert.Equal(("int8", "stories260K", 40), (json.Model, json.Reference, json.Tokens));
        Assert.NotNull(json.MeanKl);
        using var among = await EvalModels.OpenAsync([Compressed("int8"), Checkpoint260K], Checkpoint260K + "/", default);
        Assert.False(among.ReferenceIsExtra);
        Assert.Equal((2, 1), (among.Sources.Count, among.Reference));
    }

    [SharedFact]
    public async Task A_gate_ends_with_one_when_a_limit_is_broken_and_with_nothing_when_all_are_kept()
    {
        var model = Compressed("int8");
        var text = SharedModels.Data("tinystories/tinystories-excerpt.txt");
        string[] command = ["eval", model, "--reference", Checkpoint260K, "--text", text, "--tokens", "100", "--gate"];
        Assert.Equal(ExitCodes.Ok, await EfedllmCommand.RunAsync([.. command, "max-ppl=1%,max-kl=0.01,min-top1=90%,max-bits=11"]));
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync([.. command, "max-ppl=1%,max-bits=2"]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync([.. command, "max-nonsense=1"]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["eval", model, "--text", text, "--gate", "max-kl=1"]));
        Assert.Equal(ExitCodes.Ok, await EfedllmCommand.RunAsync(["eval", model, "--text", text, "--tokens", "20", "--gate", "max-bits=11"]));
    }

    [SharedFact]
    public async Task The_page_is_written_where_it_was_asked_for()
    {
        var page = Path.Combine(_scratch, "page.html");
        var text = SharedModels.Data("tinystories/tinystories-excerpt.txt");
        Assert.Equal(ExitCodes.Ok, await EfedllmCommand.RunAsync(["eval", Compressed("int8"), Checkpoint260K, "--text", text, "--tokens", "60", "--html", page, "--format", "md"]));
        Assert.Contains("stories260K", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
    }

    [SharedFact]
    public async Task Classifiers_are_compared_by_their_accuracy()
    {
        var checkpoint = SharedModels.Model("bert-tiny-sst2");
        using (var source = Checkpoint.Open(checkpoint))
        {
            Compressor.Run(source, Path.Combine(_scratch, "bert"), new CompressionSettings());
        }

        using var models = await EvalModels.OpenAsync([Path.Combine(_scratch, "bert"), checkpoint], null, default);
        var rows = EvalComparison.OnLabels(models, LabelledTexts.Read(SharedModels.Data("sst2/dev.tsv")), 2, new Progress<int>(), default);
        Assert.Equal(711, rows[1].Classification!.Correct);
        Assert.InRange(rows[0].Classification!.Accuracy, rows[1].Classification!.Accuracy - 0.005, 1);
        Assert.Equal(32, rows[1].BitsPerWeight, 0.01);
        using var manifest = FactoredModel.Open(Path.Combine(_scratch, "bert"));
        Assert.Equal((manifest.Manifest.ReadBitsPerWeight, manifest.Manifest.ReadBytesPerToken), (rows[0].BitsPerWeight, rows[0].BytesPerToken));

        string[] command = ["eval", Path.Combine(_scratch, "bert"), checkpoint];
        var texts = SharedModels.Data("sst2/dev.tsv");
        Assert.Equal(ExitCodes.Ok, await EfedllmCommand.RunAsync([.. command, "--sst2", texts, "--gate", "max-accuracy-loss=1,max-bits=12"]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync([.. command, "--sst2", texts, "--gate", "max-kl=1"]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync([.. command, "--text", texts]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync([.. command, Checkpoint260K, "--sst2", texts]));
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync([.. command, "--sst2", texts + ".none"]));
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync([.. command, "--sst2", Path.Combine(checkpoint, "config.json")]));
    }

    [SharedFact]
    public async Task What_cannot_be_compared_is_refused()
    {
        var text = Path.Combine(_scratch, "text.txt");
        await File.WriteAllTextAsync(text, "Once upon a time");
        var model = Compressed("int8");
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["eval", model, model, "--text", text]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["eval", model, SharedModels.Model("babyllama-105"), "--text", text]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["eval", model, "--reference", Checkpoint260K, "--text", text, "--skip", "1000"]));
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["eval", model, "--reference", Checkpoint260K, "--text", text, "--chunk", "1000"]));
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync(["eval", model, "--reference", Checkpoint260K, "--text", text + "x"]));
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync(["eval", model, "--reference", "/there/is/none", "--text", text]));
        await File.WriteAllTextAsync(text, "");
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync(["eval", model, "--reference", Checkpoint260K, "--text", text]));
    }

    [Theory]
    [InlineData("a,b", "/x/a", "/x/b")]
    [InlineData("x/a,y/a", "/x/a", "/y/a/")]
    [InlineData("x/a,x/b", "/p/x/a", "/p/x/b", "/p/y/a")]
    public void Names_are_as_short_as_they_can_be(string expected, params string[] folders) =>
        Assert.StartsWith(expected, string.Join(',', EvalModels.NamesOf(folders)), StringComparison.Ordinal);

    private static IReadOnlyList<ModelEvaluation> Measure(EvalModels models, int tokens)
    {
        var text = models.Encode(File.ReadAllText(SharedModels.Data("tinystories/tinystories-excerpt.txt")), 0, tokens);
        return EvalComparison.OnText(models, text, new EvalPart(0, tokens, 256, null), true, 2, new Progress<int>(), default);
    }

    private string Compressed(string name, double? keep = null)
    {
        using var checkpoint = Checkpoint.Open(Checkpoint260K);
        var settings = keep is { } share ? new CompressionSettings { Profile = CompressionProfile.Svd, Keep = share } : new CompressionSettings();
        return Compressor.Run(checkpoint, Path.Combine(_scratch, name), settings).Folder;
    }
}
