using System.CommandLine;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary>The program's command tree.</summary>
internal static class EfedllmCommand
{
    /// <summary>Builds the tree.</summary>
    public static RootCommand Create() => new(
        "A peer-to-peer cluster that runs a language model over several devices.")
    {
        new UpCommand(),
        new JoinCommand(),
        new LeaveCommand(),
        InviteCommand.Create(),
        new ChatCommand(),
        new PromptCommand(),
        ClusterCommand.Create(),
        LedgerCommand.Create(),
        new VerifyCommand(),
        TrustCommand.Create(),
        new CompressCommand(),
        new EvalCommand(),
        new BenchCommand(),
        new TokenizeCommand(),
        CertCommand.Create(),
        new DoctorCommand(),
        new NodeCommand(),
    };

    /// <summary>Parses and runs.</summary>
    /// <returns>The exit code, one of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        var parse = Create().Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parse.Errors.Count > 0 && parse.Action is not System.CommandLine.Help.HelpAction)
        {
            return Refuse(parse);
        }

        using var signals = new TerminationSignals();
        return await parse.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, signals.Token);
    }

    private static int Refuse(ParseResult parse)
    {
        foreach (var error in parse.Errors.Select(error => error.Message).Distinct(StringComparer.Ordinal))
        {
            Screen.Error(error);
        }

        var path = new List<string>();
        for (System.CommandLine.Parsing.SymbolResult? at = parse.CommandResult; at is not null; at = at.Parent)
        {
            if (at is System.CommandLine.Parsing.CommandResult { Command: not RootCommand } command)
            {
                path.Insert(0, command.Command.Name);
            }
        }

        Screen.Note($"See: {string.Join(' ', path.Prepend("efedllm"))} --help");
        return ExitCodes.Usage;
    }
}
