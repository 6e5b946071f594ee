using System.CommandLine;
using EFedLLM.Actors.Placement;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm cluster plan</c>: who holds what, and who would, if devices came or went.</summary>
internal static class PlanCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var without = new Option<string[]>("--without")
        {
            Description = "Plan as if this device were gone: its id, the beginning of it, or its name. May be repeated.",
            HelpName = "device",
            DefaultValueFactory = _ => [],
        };
        var with = new Option<string[]>("--with")
        {
            Description = "Plan as if this device were there as well. Memory as in 4GB; speed is how much of its weights it reads a second, as in 20GB (default: as the slowest). May be repeated.",
            HelpName = "memory=4GB,speed=20GB",
            DefaultValueFactory = _ => [],
        };
        var gateway = CommonOptions.Gateway();
        var json = CommonOptions.Json();
        var command = new Command("plan", "Who holds which layers now, and who would with the next plan, with the reason for each device. Changes nothing.") { without, with, gateway, json };
        command.Runs(async (parse, cancellation) =>
        {
            var question = new PlanQuestion(parse.GetRequiredValue(without), [.. parse.GetRequiredValue(with).Select(ParseDevice)]);
            if (question.Without.Count > PlanQuestion.Most || question.With.Count > PlanQuestion.Most)
            {
                throw new UserErrorException($"At most {PlanQuestion.Most} devices can be left out, and as many added.", ExitCodes.Usage);
            }

            await using var client = new GatewayHttpClient(GatewayLocator.Find(parse.GetValue(gateway)));
            var facts = await client.ReadPlanAsync(question, cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(facts, ApiJson.Default.PlanFacts);
            }
            else
            {
                PlanTables.Show(facts, question.Without.Count + question.With.Count > 0);
            }

            // A script can ask whether a device may go.
            return facts.Models.Any(model => model.NextProblem is not null) ? ExitCodes.Failed : ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>Reads a device as people describe it: <c>memory=4GB,speed=20GB</c>.</summary>
    /// <exception cref="UserErrorException">It makes no sense.</exception>
    public static AddedDevice ParseDevice(string text)
    {
        var (memory, speed) = (0L, 0L);
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            switch (part.Split('=', 2, StringSplitOptions.TrimEntries))
            {
                case ["memory", var value] when memory == 0:
                    memory = ByteSize.Parse(value, "The memory of --with");
                    break;
                case ["speed", var value] when speed == 0:
                    speed = ByteSize.Parse(value.EndsWith("/s", StringComparison.OrdinalIgnoreCase) ? value[..^2] : value, "The speed of --with");
                    break;
                default:
                    throw Wrong(text);
            }
        }

        return memory > 0 ? new AddedDevice(memory, speed) : throw Wrong(text);
    }

    private static UserErrorException Wrong(string text) => new($"--with describes a device as in memory=4GB,speed=20GB; it is \"{text}\".", ExitCodes.Usage);
}
