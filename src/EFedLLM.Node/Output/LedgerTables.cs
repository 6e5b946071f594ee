using System.Globalization;
using EFedLLM.Node.Api;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>The ledger as tables.</summary>
internal static class LedgerTables
{
    /// <summary>Every device in a line. What was never checked anywhere has no columns.</summary>
    public static void Devices(IReadOnlyList<LedgerDevice> devices)
    {
        var (servers, verifiers) = (devices.Any(device => device.Server is not null), devices.Any(device => device.Verifier is not null));
        var table = Tables.Create([
            "device", ">sessions", ">tokens", ">layer tokens", ">time-outs", ">failures", ">reward", ">vested", ">penalty",
            .. servers ? ["standing", ">score", ">passed", ">soft", ">hard"] : Array.Empty<string>(),
            .. verifiers ? ["as verifier", ">passed", ">failed"] : Array.Empty<string>(),
            "last seen"]);
        foreach (var device in devices)
        {
            table.Row([
                new Text(device.Device), Count(device.Sessions), Count(device.Tokens), Count(device.LayerTokens), Count(device.TimeOuts), Count(device.Failures),
                new Text(Say.Number(device.Reward)), new Text(Say.Number(device.Vested)), new Text(Say.Number(device.Penalty)),
                .. servers ? Standing(device.Server) : [],
                .. verifiers ? Verifier(device.Verifier) : [],
                new Text(Time(device.LastSeen))]);
        }

        table.Print();
    }

    /// <summary>One device: what it did, how far it is trusted in which role, what checks showed, and its other entries.</summary>
    public static void Device(LedgerDevice device)
    {
        Devices([device with { Server = null, Verifier = null }]);
        if (device.Server is not null || device.Verifier is not null)
        {
            Heading("standing");
            var table = Tables.Create("as", "standing", ">score", ">passed", ">soft", ">hard", ">positions passed", "excluded since");
            Role("server", device.Server);
            Role("verifier", device.Verifier);
            table.Print();

            void Role(string role, StandingFacts? facts)
            {
                if (facts is not null)
                {
                    table.Row([new Text(role), .. Standing(facts), Count(facts.PassedTokens), new Text(facts.ExcludedAt is null ? "-" : Time(facts.ExcludedAt))]);
                }
            }
        }

        var checks = device.Recent.Where(entry => entry.Check is not null).ToList();
        if (checks.Count > 0)
        {
            Heading("checks");
            Checks(checks);
        }

        var work = device.Recent.Where(entry => entry.Check is null).ToList();
        if (work.Count > 0)
        {
            Heading("work");
            Work(work);
        }
    }

    private static void Checks(List<LedgerLine> checks)
    {
        var isVerifier = checks.Exists(entry => entry.Check!.Role != "server");
        var table = Tables.Create([
            "when", .. isVerifier ? ["as"] : Array.Empty<string>(), "result", "units", "positions", "session", "by", "expected", "found", "reason"]);
        foreach (var entry in checks)
        {
            var check = entry.Check!;
            table.Row([
                new Text(Time(entry.At)),
                .. isVerifier ? [new Text(check.Role)] : Array.Empty<Text>(),
                Result(check.Result),
                new Text($"[{entry.First}, {entry.End})"),
                new Text(string.Create(CultureInfo.InvariantCulture, $"{check.Position}-{check.Position + entry.Tokens - 1}")),
                new Text(AnswerLines.Short(entry.Session)),
                Short(check.Verifier, 8),
                Short(check.Expected, 16),
                Short(check.Found, 16, check.Result == "hard" && check.Found != check.Expected ? Color.Red : Color.Default),
                new Text(check.Reason ?? "")]);
        }

        table.Print();
    }

    private static void Work(List<LedgerLine> work)
    {
        var table = Tables.Create("when", "outcome", ">tokens", "units", "session");
        foreach (var entry in work)
        {
            table.Row([new Text(Time(entry.At)), new Text(entry.Outcome), Count(entry.Tokens), new Text($"[{entry.First}, {entry.End})"), new Text(entry.Session)]);
        }

        table.Print();
    }

    private static Text[] Standing(StandingFacts? facts) => facts is null
        ? [Tables.Standing(null), None, None, None, None]
        : [Tables.Standing(facts.Standing), new Text(Say.Number(facts.Score)), Count(facts.Passed), Count(facts.Soft), Count(facts.Hard)];

    private static Text[] Verifier(StandingFacts? facts) => facts is null
        ? [Tables.Standing(null), None, None]
        : [Tables.Standing(facts.Standing), Count(facts.Passed), Count(facts.Soft + facts.Hard)];

    private static Text Result(string result) => result switch
    {
        "hard" => new Text(result, new Style(Color.Red)),
        "soft" => new Text(result, new Style(Color.Yellow)),
        _ => new Text(result, new Style(Color.Green)),
    };

    private static Text None => new("-", new Style(Color.Grey));

    private static Text Short(string? value, int digits, Color? color = null) => value is null ? None : new Text(value[..digits], new Style(color));

    private static Text Count(long value) => new(value.ToString("#,0", CultureInfo.InvariantCulture));

    private static string Time(DateTimeOffset? at) => at?.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? "";

    private static void Heading(string text)
    {
        Console.Out.WriteLine();
        Screen.Out.Write(new Text($"{text}\n", new Style(decoration: Decoration.Bold)));
    }
}
