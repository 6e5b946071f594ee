using EFedLLM.Node.Api;

namespace EFedLLM.Node.Output;

/// <summary>Plans as tables.</summary>
internal static class PlanTables
{
    /// <summary>The plans of each model.</summary>
    /// <param name="facts">The plans.</param>
    /// <param name="isSupposed">Whether the next plan is of devices that are supposed to come or go.</param>
    public static void Show(PlanFacts facts, bool isSupposed)
    {
        if (facts.Models.Count == 0)
        {
            Console.Out.WriteLine("No gateway asks for a model, so there is nothing to place.");
        }

        foreach (var model in facts.Models)
        {
            Console.Out.WriteLine();
            Console.Out.WriteLine(model.Changes
                ? $"{model.Name}: {(isSupposed ? "would load" : "is to load")} {Say.Bytes(model.BytesToLoad)}; {Holders(model)}"
                : $"{model.Name}: nothing changes; {Holders(model)}");
            if (model.NextProblem is { } problem)
            {
                Console.Out.WriteLine($"  {problem}");
            }

            var table = Tables.Create("device", "name", "now", "next", ">to load", "why");
            foreach (var device in model.Devices)
            {
                table.Row(
                    device.Name?.StartsWith("new ", StringComparison.Ordinal) == true && device.Now is null ? "" : AnswerLines.Short(device.Device),
                    device.Name ?? "",
                    device.Now?.Units ?? "-",
                    device.Next is null ? "-" : device.Next == device.Now ? "the same" : device.Next.Units,
                    device.BytesToLoad == 0 ? "" : Say.Bytes(device.BytesToLoad),
                    Why(device));
            }

            table.Print();
        }
    }

    private static string Holders(ModelPlan model) => model.NextProblem is not null
        ? "not every layer has a device"
        : model.LeastHolders == 1 ? "some layers are on one device alone" : $"every layer is on {model.LeastHolders} devices or more";

    /// <summary>The reason begins with the units, which stand in a column of their own.</summary>
    private static string Why(DevicePlan device) => device.Next is { } next && device.Reason.StartsWith($"{next.Units}: ", StringComparison.Ordinal)
        ? device.Reason[(next.Units.Length + 2)..]
        : device.Reason;
}
