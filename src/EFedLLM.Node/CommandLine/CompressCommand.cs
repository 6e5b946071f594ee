using System.CommandLine;
using System.Globalization;
using EFedLLM.Compression;
using EFedLLM.Compression.Factorization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm compress</c>: a checkpoint becomes a factored model.</summary>
internal sealed class CompressCommand : Command
{
    private readonly Argument<string> _checkpoint = new("checkpoint") { Description = "The checkpoint: a folder (config.json, *.safetensors, tokenizer.json) or a .gguf file." };
    private readonly Option<string> _output = new("--output", "-o") { Description = "The folder to write; new or empty.", HelpName = "folder", Required = true };
    private readonly Option<string> _profile = new("--profile")
    {
        Description = "int8: 8-bit weights, hardly any loss. svd: truncated singular value decompositions, as in the paper; smaller, at a loss.",
        HelpName = "int8|svd",
        DefaultValueFactory = _ => "int8",
    };

    private readonly Option<double?> _keep = new("--keep") { Description = "With --profile svd: the share of parameters that is kept. Default: 0.4.", HelpName = "0-1" };
    private readonly Option<int?> _group = new("--group") { Description = "Inputs that share a scale: 32 (the default) or 64.", HelpName = "n" };
    private readonly Option<string?> _name = new("--name") { Description = "The model's name. Default: the checkpoint's own.", HelpName = "text" };
    private readonly Option<int?> _threads = CommonOptions.Threads("all cores");
    private readonly Option<bool> _json = CommonOptions.Json();

    public CompressCommand()
        : base("compress", "Make a factored model of a checkpoint.")
    {
        _profile.AcceptOnlyFromAmong("int8", "svd");
        Add(_checkpoint);
        foreach (var option in new Option[] { _output, _profile, _keep, _group, _name, _threads, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var folder = ModelFolders.Existing(parse.GetRequiredValue(_checkpoint));
        var settings = Read(parse);
        if (FactoredModel.IsFactored(folder))
        {
            throw new UserErrorException($"{folder} is a factored model already; compress the checkpoint that it was made of.", ExitCodes.Usage);
        }

        var algebra = settings.Profile == CompressionProfile.Svd ? LinearAlgebra.Current.Name : "none";
        if (settings.Profile == CompressionProfile.Svd)
        {
            Screen.Note($"linear algebra: {algebra}");
        }

        var result = await CompressionBar.RunAsync($"compressing {Path.GetFileName(folder)}", progress =>
        {
            using var checkpoint = Checkpoint.Open(folder);
            return Compressor.Run(checkpoint, parse.GetRequiredValue(_output), settings, progress, cancellation);
        });
        var (manifest, json) = (result.Manifest, parse.GetValue(_json));
        if (json)
        {
            Screen.Json(
                new CompressResult(result.Folder, result.Id.Value, manifest.Profile, manifest.TotalBytes, manifest.BitsPerWeight, algebra), ApiJson.Default.CompressResult);
            return ExitCodes.Ok;
        }

        var parameters = ManifestLayout.Parameters(manifest.Shape);
        Console.Out.WriteLine($"{manifest.Name}, {manifest.Profile}: {Say.Bytes(manifest.TotalBytes)}, {ClusterTables.Bits(manifest.BitsPerWeight)} bits per weight all-in, "
            + string.Create(CultureInfo.InvariantCulture, $"{manifest.TotalBytes / (2.0 * parameters):P0} of its bytes at 16 bits"));
        Console.Out.WriteLine($"model id {result.Id.Value}");
        Console.Out.WriteLine($"{(result.AlreadyThere ? "was there already: " : "")}{result.Folder}");
        return ExitCodes.Ok;
    }

    private CompressionSettings Read(ParseResult parse)
    {
        var svd = parse.GetRequiredValue(_profile) == "svd";
        if (!svd && parse.GetValue(_keep) is not null)
        {
            throw new UserErrorException("--keep belongs to --profile svd.", ExitCodes.Usage);
        }

        if (parse.GetValue(_keep) is { } keep && keep is not (> 0 and <= 1))
        {
            throw new UserErrorException(string.Create(CultureInfo.InvariantCulture, $"--keep must be above 0 and at most 1; it is {keep}."), ExitCodes.Usage);
        }

        if (parse.GetValue(_group) is { } group && group is not (32 or 64))
        {
            throw new UserErrorException($"--group must be 32 or 64; it is {group}.", ExitCodes.Usage);
        }

        var settings = new CompressionSettings
        {
            Profile = svd ? CompressionProfile.Svd : CompressionProfile.Int8,
            Name = parse.GetValue(_name),
            Threads = parse.GetValue(_threads) ?? Environment.ProcessorCount,
        };
        return settings with { Keep = parse.GetValue(_keep) ?? settings.Keep, Group = parse.GetValue(_group) ?? settings.Group };
    }
}
