using System.CommandLine;
using System.Globalization;
using System.Text;
using EFedLLM.Compression;
using EFedLLM.Compression.Factorization;
using EFedLLM.Node.Api;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm compress</c>: a checkpoint becomes a factored model.</summary>
internal sealed class CompressCommand : Command
{
    private const long MostTextBytes = 256L << 20;

    private readonly Argument<string> _checkpoint = new("checkpoint") { Description = "The checkpoint: a folder (config.json, *.safetensors, tokenizer.json) or a .gguf file." };
    private readonly Option<string?> _output = new("--output", "-o") { Description = "The folder to write; new or empty.", HelpName = "folder" };
    private readonly Option<string> _profile = new("--profile")
    {
        Description = "calibrated (the default): 4 to 8 bits where they do most for their bytes. int8: 8-bit weights, in seconds. svd: truncated singular value decompositions, as in the paper; smaller, at a loss.",
        HelpName = "calibrated|int8|svd",
        DefaultValueFactory = _ => "calibrated",
    };

    private readonly Option<double?> _bits = new("--target-bits") { Description = "Bits per weight at most, all-in. Default: 6.4, which is 40 % of 16 bits.", HelpName = "n" };
    private readonly Option<string?> _size = new("--target-size") { Description = "Size of the weight files at most, for example 300MB.", HelpName = "size" };
    private readonly Option<string?> _loss = new("--max-loss") { Description = "Loss of perplexity at most, for example 2%, measured on a held-out part of the calibration text; the fewest bits that keep it are looked for.", HelpName = "share" };
    private readonly Option<string?> _calibrate = new("--calibrate") { Description = "The text to calibrate on, a UTF-8 file; one part in three of the built-in one is mixed in. Default: the built-in one.", HelpName = "file" };
    private readonly Option<bool> _noLowRank = new("--no-low-rank") { Description = "Give no matrix a low-rank branch." };
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Print the plan (per matrix: bits, rank, predicted loss) and write nothing." };
    private readonly Option<double?> _keep = new("--keep") { Description = "With --profile svd: the share of parameters that is kept. Default: 0.4.", HelpName = "0-1" };
    private readonly Option<int?> _group = new("--group") { Description = "With --profile int8 or svd: inputs that share a scale, 32 (the default) or 64.", HelpName = "n" };
    private readonly Option<string?> _name = new("--name") { Description = "The model's name. Default: the checkpoint's own.", HelpName = "text" };
    private readonly Option<int?> _threads = CommonOptions.Threads("all cores");
    private readonly Option<bool> _json = CommonOptions.Json();

    public CompressCommand()
        : base("compress", "Make a factored model of a checkpoint.")
    {
        _profile.AcceptOnlyFromAmong("calibrated", "int8", "svd");
        Add(_checkpoint);
        foreach (var option in new Option[] { _output, _profile, _bits, _size, _loss, _calibrate, _noLowRank, _dryRun, _keep, _group, _name, _threads, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    /// <summary>Reads a share as people write it: <c>2%</c> or <c>0.02</c>.</summary>
    /// <exception cref="UserErrorException">It is none, or not above 0 and below 1.</exception>
    internal static double Share(string text, string option)
    {
        var number = text.Trim();
        var percent = number.EndsWith('%');
        return double.TryParse(percent ? number[..^1] : number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            && (percent ? value / 100 : value) is > 0 and < 1 and var share
            ? share
            : throw new UserErrorException($"{option} must be a share above 0 and below 100 %, for example 2% or 0.02; it is \"{text}\".", ExitCodes.Usage);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var folder = ModelFolders.Existing(parse.GetRequiredValue(_checkpoint));
        var settings = await ReadAsync(parse, folder, cancellation);
        if (FactoredModel.IsFactored(folder))
        {
            throw new UserErrorException($"{folder} is a factored model already; compress the checkpoint that it was made of.", ExitCodes.Usage);
        }

        var algebra = settings.Profile == CompressionProfile.Int8 ? "none" : LinearAlgebra.Current.Name;
        if (settings.Profile != CompressionProfile.Int8)
        {
            Screen.Note($"linear algebra: {algebra}{(LinearAlgebra.Current.IsFast ? "" : "; with OpenBLAS installed (libopenblas0) a large model takes a fraction of the time")}");
        }

        var (json, what) = (parse.GetValue(_json), Path.GetFileName(folder));
        if (parse.GetValue(_dryRun))
        {
            var (plan, shape) = await CompressionBar.RunAsync($"planning {what}", progress =>
            {
                using var checkpoint = Checkpoint.Open(folder);
                return (Compressor.Plan(checkpoint, settings, progress, cancellation), checkpoint.Shape);
            });
            Show(json, () => CompressReport.Facts(plan, settings.ProfileName, algebra), () => CompressReport.Print(plan, shape));
            return ExitCodes.Ok;
        }

        var result = await CompressionBar.RunAsync($"compressing {what}", progress =>
        {
            using var checkpoint = Checkpoint.Open(folder);
            return Compressor.Run(checkpoint, parse.GetValue(_output)!, settings, progress, cancellation);
        });
        Show(json, () => CompressReport.Facts(result, algebra), () => CompressReport.Print(result));
        return ExitCodes.Ok;
    }

    private static void Show(bool json, Func<CompressResult> facts, Action print)
    {
        if (json)
        {
            Screen.Json(facts(), ApiJson.Default.CompressResult);
        }
        else
        {
            print();
        }
    }

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new UserErrorException(problem, ExitCodes.Usage);
        }
    }

    private static async Task<string> TextAsync(string file, CancellationToken cancellation)
    {
        if (!File.Exists(file))
        {
            throw new UserErrorException($"There is no file {file}.");
        }

        return new FileInfo(file).Length <= MostTextBytes
            ? await File.ReadAllTextAsync(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), cancellation)
            : throw new UserErrorException($"{file} has more than {MostTextBytes} bytes: a part of it will do to calibrate on.");
    }

    private async Task<CompressionSettings> ReadAsync(ParseResult parse, string folder, CancellationToken cancellation)
    {
        var profile = parse.GetRequiredValue(_profile) switch
        {
            "svd" => CompressionProfile.Svd,
            "int8" => CompressionProfile.Int8,
            _ => CompressionProfile.Calibrated,
        };
        Check(parse, profile);
        var settings = new CompressionSettings
        {
            Profile = profile,
            TargetSize = parse.GetValue(_size) is { } size ? ByteSize.Parse(size, _size.Name) : null,
            MaxLoss = parse.GetValue(_loss) is { } loss ? Share(loss, _loss.Name) : null,
            LowRank = !parse.GetValue(_noLowRank),
            Name = parse.GetValue(_name),
            Threads = parse.GetValue(_threads) ?? Environment.ProcessorCount,
        };
        settings = settings with
        {
            TargetBits = parse.GetValue(_bits) ?? settings.TargetBits,
            Keep = parse.GetValue(_keep) ?? settings.Keep,
            Group = parse.GetValue(_group) ?? settings.Group,
        };
        return profile != CompressionProfile.Calibrated ? settings : settings with
        {
            CalibrationText = parse.GetValue(_calibrate) is { } file ? await TextAsync(file, cancellation) : null,
            StartToken = FactoredModel.IsFactored(folder) ? null : StartTokenOf(folder),
        };
    }

    /// <summary>Refuses options that belong to another profile, or that say two things at once.</summary>
    private void Check(ParseResult parse, CompressionProfile profile)
    {
        var (calibrated, svd) = (profile == CompressionProfile.Calibrated, profile == CompressionProfile.Svd);
        Require(svd || parse.GetValue(_keep) is null, "--keep belongs to --profile svd.");
        Require(!calibrated || parse.GetValue(_group) is null, "--group belongs to --profile int8 and svd: a calibrated compression chooses groups itself.");
        foreach (var option in new Option[] { _bits, _size, _loss, _calibrate, _noLowRank, _dryRun })
        {
            Require(calibrated || parse.GetResult(option) is null or { Implicit: true }, $"{option.Name} belongs to --profile calibrated.");
        }

        var targets = new Option[] { _bits, _size, _loss }.Count(option => parse.GetResult(option) is { Implicit: false });
        Require(targets <= 1, "--target-bits, --target-size and --max-loss are three ways to say what is wanted: name one.");
        Require(parse.GetValue(_dryRun) || parse.GetValue(_output) is not null, "Name the folder to write with --output.");
        Require(!parse.GetValue(_dryRun) || parse.GetValue(_loss) is null, "--max-loss is measured by making the model, which --dry-run does not: name bits or a size.");
        Require(
            parse.GetValue(_bits) is null or > 0 and <= 16, string.Create(CultureInfo.InvariantCulture, $"--target-bits must be above 0 and at most 16; it is {parse.GetValue(_bits)}."));
        Require(
            parse.GetValue(_keep) is null or > 0 and <= 1, string.Create(CultureInfo.InvariantCulture, $"--keep must be above 0 and at most 1; it is {parse.GetValue(_keep)}."));
        Require(parse.GetValue(_group) is null or 32 or 64, $"--group must be 32 or 64; it is {parse.GetValue(_group)}.");
    }

    private static int? StartTokenOf(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return checkpoint.Shape.Encoder is null ? StartToken.Of(checkpoint.Shape, ModelTokenizer.Load(folder), folder) : null;
    }
}
