using System.Text.Json;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public sealed class ProveCommandTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_file_that_is_no_proof_does_not_hold()
    {
        await File.WriteAllBytesAsync(_file, [1, 2, 3]);
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync(["ledger", "prove", _file]));
    }

    [Fact]
    public async Task What_is_missing_says_nothing_against_a_proof_or_an_answer()
    {
        Assert.Equal(ExitCodes.CannotTell, await EfedllmCommand.RunAsync(["ledger", "prove", _file, "--model", "/no/such/model"]));
        Assert.Equal(ExitCodes.CannotTell, await EfedllmCommand.RunAsync(["verify", "no-such-file"]));
        Assert.Equal(ExitCodes.CannotTell, await EfedllmCommand.RunAsync(["verify", _file, "--model", "/no/such/model"]));
        Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync(["verify", _file]));
    }

    [Theory]
    [InlineData("12345")]
    [InlineData("no-such-file")]
    public async Task What_is_neither_a_file_nor_a_hash_makes_no_sense(string proof) => Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["ledger", "prove", proof]));

    [Fact]
    public void The_json_has_the_keys_that_scripts_rely_on()
    {
        var facts = ProofFacts.Of([1, 2, 3], new ReplayOutcome(ReplayResult.DoesNotHold, "why"));
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(facts, ApiJson.Default.ProofFacts));
        Assert.Equal(["result", "text", "proof"], json.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal(("doesNotHold", Digest.Of([1, 2, 3]).ToString()), (facts.Result, facts.Proof));
    }

    [Theory]
    [InlineData(ReplayResult.Holds, "holds", 0)]
    [InlineData(ReplayResult.DoesNotHold, "doesNotHold", 1)]
    [InlineData(ReplayResult.CannotTell, "cannotTell", 2)]
    public void Each_result_has_its_word_and_its_exit_code(ReplayResult result, string word, int code)
    {
        var facts = ProofFacts.Of(new ReplayOutcome(result, "why"));
        Assert.Equal((word, code), (facts.Result, ProveCommand.Code(facts.Result)));
    }
}
