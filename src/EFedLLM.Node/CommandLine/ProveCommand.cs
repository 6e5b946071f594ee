using System.CommandLine;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm ledger prove</c>: replays what proves a verdict, on any machine that has the layers.</summary>
internal static class ProveCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var proof = new Argument<string>("proof") { Description = "The proof's hash or its first digits, as \"efedllm ledger show\" prints it, or a file with the proof." };
        var model = new Option<string?>("--model", "-m")
        {
            Description = "The model's folder: the factored model that the cluster serves, or its checkpoint. Default: the models that were compressed on this machine.",
            HelpName = "path",
        };
        var cluster = CommonOptions.Cluster();
        var gateway = CommonOptions.Gateway();
        var json = CommonOptions.Json();
        var command = new Command("prove", "Compute again what a verdict is about, and say whether it holds. Ends with 0 where it holds, 1 where it does not, 2 where that cannot be told here.")
        {
            proof, model, cluster, gateway, json,
        };
        command.Runs(async (parse, cancellation) =>
        {
            var facts = await ProveAsync(
                parse.GetRequiredValue(proof), parse.GetValue(model), CommonOptions.ClusterOf(parse.GetValue(cluster)), parse.GetValue(gateway), cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(facts, ApiJson.Default.ProofFacts);
            }
            else
            {
                Print(facts);
            }

            return Code(facts.Result);
        });
        return command;
    }

    /// <summary>The folders where the model of what is replayed may be.</summary>
    /// <param name="named">A factored model or a checkpoint, or null for those that are known.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="UserErrorException">There is no such folder.</exception>
    internal static async Task<IReadOnlyList<string>> FoldersAsync(string? named, CancellationToken cancellation)
    {
        if (named is null)
        {
            return ModelFolders.Cached();
        }

        var folder = ModelFolders.Existing(named);
        return FactoredModel.IsFactored(folder) ? [folder] : [folder, await ModelPreparation.FactoredAsync(named, cancellation)];
    }

    /// <summary>The exit code of a result.</summary>
    internal static int Code(string result) => result switch { "holds" => ExitCodes.Ok, "doesNotHold" => ExitCodes.Failed, _ => ExitCodes.CannotTell };

    private static async Task<ProofFacts> ProveAsync(string proof, string? model, ClusterId? cluster, string? gateway, CancellationToken cancellation)
    {
        try
        {
            var folders = await FoldersAsync(model, cancellation);
            var bytes = File.Exists(proof) ? await ReadAsync(proof, cancellation) : await FetchAsync(proof, gateway, cancellation);
            var outcome = await Screen.WaitingAsync("replaying …", () => ProofReplay.ReplayAsync(
                bytes, folders, Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, cancellation, cluster));
            return ProofFacts.Of(bytes, outcome);
        }
        catch (Exception error) when (IsTrouble(error))
        {
            return ProofFacts.Of(new ReplayOutcome(ReplayResult.CannotTell, error.Message));
        }
    }

    /// <summary>Whether a failure only means that nothing can be told: an exit code of 1 says that something does not hold.</summary>
    internal static bool IsTrouble(Exception error) => CommandGuard.Explain(error, CancellationToken.None).Code == ExitCodes.Failed && error is not OperationCanceledException;

    private static async Task<byte[]> ReadAsync(string file, CancellationToken cancellation)
        => new FileInfo(file).Length <= WorkProof.MostBytes
            ? await File.ReadAllBytesAsync(file, cancellation)
            : throw new UserErrorException($"{file} has more than the {WorkProof.MostBytes} bytes that a proof may have.");

    private static async Task<byte[]> FetchAsync(string hash, string? gateway, CancellationToken cancellation)
    {
        if (hash.Length is < ProofStore.FewestDigits or > 64 || !hash.All(char.IsAsciiHexDigit))
        {
            throw new UserErrorException($"\"{hash}\" is no file, and no proof's hash: {ProofStore.FewestDigits} to 64 hexadecimal digits.", ExitCodes.Usage);
        }

        await using var client = new GatewayHttpClient(GatewayLocator.Find(gateway));
        var bytes = await client.ReadProofAsync(hash.ToLowerInvariant(), cancellation);
        return EFedLLM.Actors.Trust.Digest.Of(bytes).ToString().StartsWith(hash, StringComparison.OrdinalIgnoreCase)
            ? bytes
            : throw new UserErrorException($"What the gateway gave for {hash} is something else.");
    }

    private static void Print(ProofFacts facts)
    {
        if (facts.Device is not null)
        {
            Line("proof", facts.Proof!);
            Line("device", facts.Device);
            Line("cluster", facts.Cluster!);
        }

        if (facts.Right is not null)
        {
            Line("model", facts.Model!);
            Line("work", $"units [{facts.First}, {facts.End}), positions {facts.Position} to {facts.Position + facts.Rows - 1} of session {facts.Session}");
            Line("receipts", $"{facts.Receipts}, from the session's first position on");
            Line("signed", facts.Signed!);
            Line("right", facts.Right);
        }
        else if (facts.Session is not null)
        {
            Line("work", $"position {facts.Position} of session {facts.Session}");
        }

        Console.Out.WriteLine(facts.Text);

        static void Line(string name, string value) => Console.Out.WriteLine($"{name,-9} {value}");
    }
}
