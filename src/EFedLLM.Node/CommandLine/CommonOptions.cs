using System.CommandLine;
using System.CommandLine.Parsing;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.CommandLine;

/// <summary>The options that several commands share, described once.</summary>
internal static class CommonOptions
{
    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Print the result as one JSON document, for scripts." };

    /// <summary><c>--gateway</c>.</summary>
    public static Option<string?> Gateway() => new("--gateway", "-g")
    {
        Description = "The gateway's address, for example http://127.0.0.1:7080. Default: $EFEDLLM_GATEWAY, else the cluster last started here.",
        HelpName = "url",
    };

    /// <summary><c>--cluster</c>.</summary>
    public static Option<string?> Cluster() => new("--cluster")
    {
        Description = "The cluster that it has to be of: its id, which is the fingerprint of its authority (\"efedllm cert\" prints it). Default: any.",
        HelpName = "id",
    };

    /// <summary>The cluster that <see cref="Cluster"/> names, or null.</summary>
    /// <exception cref="UserErrorException">It names none.</exception>
    public static ClusterId? ClusterOf(string? text)
    {
        try
        {
            return text is null ? null : ClusterId.Parse(text);
        }
        catch (FormatException error)
        {
            throw new UserErrorException($"--cluster {text}: {error.Message}", ExitCodes.Usage);
        }
    }

    /// <summary><c>--model</c> as a folder or file.</summary>
    public static Option<string?> ModelFolder() => new("--model", "-m")
    {
        Description = "A checkpoint (a folder or a .gguf file; it is compressed once, to a cache) or a factored model. Default: the bundled efed-mini.",
        HelpName = "path",
    };

    /// <summary><c>--threads</c>.</summary>
    public static Option<int?> Threads(string @default) => new Option<int?>("--threads", "-t")
    {
        Description = $"Compute threads. Default: {@default}.",
        HelpName = "n",
    }.Between(1, 1024);

    /// <summary><c>--memory</c> of a model in this process.</summary>
    public static Option<string?> LocalMemory() => new("--memory")
    {
        Description = "Memory for weights and caches, for example 256MB; layers that do not fit are read from disk for every token. Default: as much as they need.",
        HelpName = "size",
    };

    /// <summary><c>--data</c>.</summary>
    public static Option<string?> Data() => new("--data")
    {
        Description = "Folder for keys, ledger and logs. Default: a folder of this user's application data.",
        HelpName = "folder",
    };

    /// <summary><c>--ca</c>.</summary>
    public static Option<string?> Authority(string description) => new("--ca") { Description = description, HelpName = "folder" };

    /// <summary><c>--enrol-port</c>.</summary>
    public static Option<int?> EnrolPort() => new Option<int?>("--enrol-port")
    {
        Description = "Port on which invited devices enrol; 0 is any free one. Only with --ca.",
        HelpName = "n",
    }.Between(0, ushort.MaxValue);

    /// <summary><c>--verbose</c>.</summary>
    public static Option<bool> Verbose() => new("--verbose", "-v") { Description = "Show the nodes' logs." };

    /// <summary><c>--weights</c>.</summary>
    public static Option<string?> Weights()
    {
        var option = new Option<string?>("--weights")
        {
            Description = "float32 runs a checkpoint uncompressed, in this process: the reference that compression is compared with.",
            HelpName = "float32",
        };
        option.AcceptOnlyFromAmong("float32");
        return option;
    }

    /// <summary><c>--chat-template</c>.</summary>
    public static Option<string?> ChatTemplate()
    {
        var option = new Option<string?>("--chat-template")
        {
            Description = "How a chat is written for the model, where its folder does not say or says something unknown.",
            HelpName = string.Join('|', EFedLLM.Transformer.Tokenizers.ChatTemplate.Names),
        };
        option.AcceptOnlyFromAmong([.. EFedLLM.Transformer.Tokenizers.ChatTemplate.Names]);
        return option;
    }

    /// <summary>Bounds a whole number.</summary>
    public static Option<int?> Between(this Option<int?> option, int least, int most)
    {
        option.Validators.Add(result => Bound(result, option.Name, value => value >= least && value <= most, $"a whole number from {least} to {most}"));
        return option;
    }

    private static void Bound(OptionResult result, string name, Func<int, bool> fits, string expected)
    {
        if (result.Tokens.Count != 1 || !int.TryParse(result.Tokens[0].Value, System.Globalization.CultureInfo.InvariantCulture, out var value) || !fits(value))
        {
            result.AddError($"{name} must be {expected}.");
        }
    }
}
