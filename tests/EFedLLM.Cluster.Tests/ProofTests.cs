using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using Xunit.Abstractions;

namespace EFedLLM.Cluster.Tests;

/// <summary>A verdict of a cluster of real processes can be replayed by another process that has nothing but the layers.</summary>
public sealed class ProofTests(ITestOutputHelper output)
{
    private const int MostQuestions = 12;

    [Fact]
    public async Task A_verdict_s_proof_holds_for_anybody_who_has_the_layers_and_with_another_input_bit_it_does_not()
    {
        await using var cluster = await RunningCluster.StartAsync(3, more: ["--saboteur", "2=sign-flip"]);
        var liar = cluster.Report.Nodes.Single(node => node.Name == "device-2").Device!;
        await cluster.UntilAsync(facts => RunningCluster.IsSettled(facts, 3) && facts.Devices.Single(device => device.Id == liar).Shards.Count > 0);
        CheckLine? verdict = null;
        for (var questions = 1; verdict is null; questions++)
        {
            Assert.True(questions <= MostQuestions, "No verdict has a proof.");
            try
            {
                await cluster.AskAsync();
            }
            catch (UserErrorException error)
            {
                output.WriteLine(error.Message);
            }

            await cluster.UntilLedgerAsync(ledger => ledger.Devices.Any(device => device.Device == liar));
            verdict = (await cluster.Client.ReadLedgerAsync(liar, CancellationToken.None)).Recent.Select(entry => entry.Check).FirstOrDefault(check => check?.Proof is not null);
        }

        Assert.Equal("hard", verdict.Result);
        var (code, said, _) = await RunAsync(null, "ledger", "prove", verdict.Proof![..16], "--gateway", cluster.Report.Gateway);
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Contains("The proof holds", said, StringComparison.Ordinal);
        foreach (var shown in new[] { verdict.Proof, liar, verdict.Expected!, verdict.Found! })
        {
            Assert.Contains(shown, said, StringComparison.Ordinal);
        }

        Assert.Contains(verdict.Proof[..16], (await RunAsync(null, "ledger", "show", liar, "--gateway", cluster.Report.Gateway)).Output, StringComparison.Ordinal);

        // The same from a file: whole, with another bit in what came in, and where nobody has the layers.
        var bytes = await cluster.Client.ReadProofAsync(verdict.Proof, CancellationToken.None);
        var file = Path.Combine(TestHome.NewFolder("proof"), "proof");
        await File.WriteAllBytesAsync(file, bytes);
        Assert.Equal(ExitCodes.Ok, (await RunAsync(null, "ledger", "prove", file)).Code);
        Assert.Equal(ExitCodes.CannotTell, (await RunAsync(TestHome.Empty(), "ledger", "prove", file)).Code);
        var proof = WorkProof.Read(bytes);
        var hidden = proof.Hidden.ToArray();
        if (hidden.Length > 0)
        {
            hidden[7] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(hidden[7]) ^ 1);
        }

        var changed = hidden.Length > 0 ? proof with { Hidden = hidden } : proof with { Tokens = proof.Tokens.SetItem(0, proof.Tokens[0] ^ 1) };
        await File.WriteAllBytesAsync(file, changed.ToBytes());
        (code, said, _) = await RunAsync(null, "ledger", "prove", file, "--json");
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("\"doesNotHold\"", said, StringComparison.Ordinal);
        Assert.NotEqual(verdict.Proof, Digest.Of(changed.ToBytes()).ToString());
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        await using var process = EfedllmProcess.Start(environment, arguments);
        var ended = await process.EndAsync();
        output.WriteLine($"efedllm {string.Join(' ', arguments)}\n{ended.Output}{ended.Error}");
        return ended;
    }
}
