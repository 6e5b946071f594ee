using System.CommandLine;
using System.Globalization;
using EFedLLM.Actors.Placement.Simulation;
using EFedLLM.Node.Api;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm cluster simulate</c>: how the placement bears devices that come and go, without any.</summary>
internal static class SimulateCommand
{
    private const int MostClusters = 16;

    // Without --hours each cluster sees about so many departures.
    private const double UsualDepartures = 500;

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var devices = new Option<string>("--devices")
        {
            Description = "Numbers of devices, one cluster each.",
            HelpName = "n,n,…",
            DefaultValueFactory = _ => "10,1000,10000",
        };
        var churn = new Option<string>("--churn") { Description = "The part of the devices that goes in an hour.", HelpName = "share", DefaultValueFactory = _ => "10%" };
        var hours = new Option<double?>("--hours") { Description = "Simulated time. Default: until about 500 departures.", HelpName = "h" };
        var seed = new Option<int>("--seed") { Description = "Seed of everything random.", HelpName = "n", DefaultValueFactory = _ => 1 };
        var json = CommonOptions.Json();
        var command = new Command("simulate", "Run the placement over simulated clusters with churn: availability, bytes moved, planning time. Needs no cluster.")
        {
            devices, churn, hours, seed, json,
        };
        command.Runs(async (parse, cancellation) =>
        {
            var share = CompressCommand.Share(parse.GetRequiredValue(churn), "--churn");
            var all = ParseDevices(parse.GetRequiredValue(devices)).Select(count => new ChurnSettings
            {
                Devices = count,
                ChurnPerHour = share,
                Duration = TimeSpan.FromHours(Hours(parse.GetValue(hours), count, share)),
                Seed = parse.GetValue(seed),
            }).ToList();
            var rows = new List<SimulationRow>();
            foreach (var settings in all)
            {
                var what = string.Create(CultureInfo.InvariantCulture, $"simulating {settings.Devices} devices for {settings.Duration.TotalHours:0.##} hours …");
                var result = await Screen.WaitingAsync(what, () => Task.Run(() => ChurnSimulation.Run(settings, cancellation), cancellation));
                rows.Add(Row(settings, result));
            }

            if (parse.GetValue(json))
            {
                Screen.Json(rows, ApiJson.Default.IReadOnlyListSimulationRow);
            }
            else
            {
                Print(rows);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>Reads numbers of devices.</summary>
    /// <exception cref="UserErrorException">They make no sense.</exception>
    public static IReadOnlyList<int> ParseDevices(string text)
    {
        var parts = text.Split(',', StringSplitOptions.TrimEntries);
        return parts.Length <= MostClusters
            && parts.All(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is > 0 and <= ChurnSettings.MostDevices)
            ? [.. parts.Select(part => int.Parse(part, CultureInfo.InvariantCulture))]
            : throw new UserErrorException(
                $"--devices must be up to {MostClusters} whole numbers from 1 to {ChurnSettings.MostDevices}, for example 10,1000; it is \"{text}\".", ExitCodes.Usage);
    }

    private static double Hours(double? asked, int devices, double churn) => asked is { } hours
        ? hours is > 0 and <= 100_000 ? hours : throw new UserErrorException("--hours must be more than 0 and at most 100000.", ExitCodes.Usage)
        : UsualDepartures / (devices * churn);

    private static SimulationRow Row(ChurnSettings settings, ChurnResult result) => new(
        result.Devices,
        settings.ChurnPerHour,
        settings.Duration.TotalHours,
        result.Departures,
        result.Plans,
        result.Availability,
        result.Redundancy,
        result.Hops,
        result.ArrivalModelsPerHour,
        result.MovedModelsPerHour,
        result.FirstPlan.TotalMilliseconds,
        result.MedianPlan.TotalMilliseconds,
        result.LongestPlan.TotalMilliseconds);

    private static void Print(IReadOnlyList<SimulationRow> rows)
    {
        var table = Tables.Create(
            ">devices", ">hours", ">departures", ">available", ">held twice", ">hops", ">arrivals load", ">others move", ">first plan", ">later, median", ">longest");
        foreach (var row in rows)
        {
            table.Row(
                Text($"{row.Devices:#,0}"),
                Text($"{row.Hours:0.##}"),
                Text($"{row.Departures:#,0}"),
                Text($"{row.Availability * 100:0.00} %"),
                Text($"{row.Redundancy * 100:0.00} %"),
                Text($"{row.Hops:0.0}"),
                Text($"{row.ArrivalModelsPerHour:0.00} models/h"),
                Text($"{row.MovedModelsPerHour:0.00} models/h"),
                Say.Milliseconds(row.FirstPlanMilliseconds),
                Say.Milliseconds(row.MedianPlanMilliseconds),
                Say.Milliseconds(row.LongestPlanMilliseconds));
        }

        table.Print();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
