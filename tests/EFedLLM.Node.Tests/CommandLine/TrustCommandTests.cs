using System.Text.Json;
using EFedLLM.Actors.Trust;
using EFedLLM.Actors.Trust.Figures;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.Tests.CommandLine;

public sealed class TrustCommandTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void The_figures_are_written_with_the_names_that_scripts_read()
    {
        var facts = TrustTables.Facts(TrustFigures.Of(new TrustSettings(), 20, 1));
        var json = JsonSerializer.SerializeToElement(facts, ApiJson.Default.TrustFiguresFacts);
        Assert.Equal(["hard", "hard", "soft", "soft"], json.GetProperty("honestLost").EnumerateArray().Select(row => row.GetProperty("fault").GetString()));
        Assert.Equal(2.7e-9, json.GetProperty("honestLost")[0].GetProperty("byScore").GetDouble(), 1e-10);
        Assert.Equal(["probation", "junior", "full", "full"], json.GetProperty("liars").EnumerateArray().Select(row => row.GetProperty("standing").GetString()));
        Assert.Equal(48, json.GetProperty("liars")[0].GetProperty("meanTokens").GetDouble());
        Assert.Equal(16, json.GetProperty("grid").GetArrayLength());
        Assert.Equal(0.375, json.GetProperty("lyingBorne").GetDouble(), 12);
    }

    [Theory]
    [InlineData("efedllm.trust.incentive.first-slash = 0", ExitCodes.Ok)]
    [InlineData("efedllm.trust.audit.full-rate = 0", ExitCodes.Usage)]
    [InlineData("efedllm.trust.audit.rate = 0.1", ExitCodes.Usage)]
    public async Task The_settings_are_those_that_a_node_would_have(string hocon, int code)
    {
        File.WriteAllText(_file, hocon);
        Assert.Equal(code, await EfedllmCommand.RunAsync(["trust", "figures", "--runs", "5", "--config", _file]));
        Assert.Equal(code, await EfedllmCommand.RunAsync(["trust", "figures", "--runs", "5", "--json", "--config", _file]));
    }

    [Theory]
    [InlineData("--runs", "0")]
    [InlineData("--runs", "1000001")]
    [InlineData("--seed", "many")]
    public async Task A_number_that_is_none_is_refused(string option, string value)
        => Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["trust", "figures", option, value]));
}
