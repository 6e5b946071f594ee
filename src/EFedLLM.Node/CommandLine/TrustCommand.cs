using System.CommandLine;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Trust;
using EFedLLM.Actors.Trust.Figures;
using EFedLLM.Node.Api;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm trust …</c>: what the settings of trust lead to.</summary>
internal static class TrustCommand
{
    /// <summary>Creates the command with its verbs.</summary>
    public static Command Create() => new("trust", "What the settings by which devices are trusted lead to.") { Figures() };

    private static Command Figures()
    {
        var file = new Option<string?>("--config") { Description = "A file with HOCON settings; hocon/trust.conf lists those of trust.", HelpName = "file" };
        var runs = new Option<int?>("--runs") { Description = "Simulated devices for each figure. Default: 10000.", HelpName = "n" }.Between(1, ExposureSimulation.MostRuns);
        var seed = new Option<int>("--seed") { Description = "Seed of everything random.", HelpName = "n", DefaultValueFactory = _ => 1 };
        var json = CommonOptions.Json();
        var command = new Command("figures", "How likely an honest device is excluded, and how much a lying one delivers first, with this node's settings. Needs no cluster.")
        {
            file, runs, seed, json,
        };
        command.Runs(async (parse, cancellation) =>
        {
            var settings = Read(parse.GetValue(file));
            var figures = await Screen.WaitingAsync("computing …", () => Task.Run(
                () => TrustFigures.Of(settings, parse.GetValue(runs) ?? 10_000, parse.GetValue(seed), cancellation), cancellation));
            var facts = TrustTables.Facts(figures);
            if (parse.GetValue(json))
            {
                Screen.Json(facts, ApiJson.Default.TrustFiguresFacts);
            }
            else
            {
                TrustTables.Print(facts);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>The settings that a node with this file would have.</summary>
    /// <exception cref="Akka.Configuration.ConfigurationException">A setting is unknown or impossible; the message names it.</exception>
    private static TrustSettings Read(string? file) => TrustSettings.Read(NodeConfiguration.Build(new NodeSettings
    {
        Roles = [ClusterNames.Anchor],
        DataFolder = Path.GetTempPath(),
        ConfigurationFile = file is null ? null : Path.GetFullPath(file),
    }));
}
