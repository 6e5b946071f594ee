using System.Globalization;
using EFedLLM.Node.Api;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>The ledger as tables.</summary>
internal static class LedgerTables
{
    /// <summary>What every device did, and how far those that were checked are trusted.</summary>
    public static void Devices(IReadOnlyList<LedgerDevice> devices)
    {
        var table = Tables.Create("device", ">sessions", ">tokens", ">layer tokens", ">time-outs", ">failures", ">reward", ">vested", ">penalty", "last seen");
        foreach (var device in devices)
        {
            table.Row([
                new Text(device.Device), Count(device.Sessions), Count(device.Tokens), Count(device.LayerTokens), Count(device.TimeOuts), Count(device.Failures),
                new Text(Say.Number(device.Reward)), new Text(Say.Number(device.Vested)), new Text(Say.Number(device.Penalty)), new Text(Time(device.LastSeen))]);
        }

        table.Print();
        Standings(devices);
    }

    /// <summary>One device: what it did, how far it is trusted in which role, what checks showed, and its other entries.</summary>
    public static void Device(LedgerDevice device)
    {
        Devices([device]);
        Credit(device);
        var checks = device.Recent.Where(entry => entry.Check is not null).ToList();
        if (checks.Count > 0)
        {
            Heading("checks");
            Checks(checks);
        }

        var struck = checks.FindAll(entry => entry.Struck is not null);
        if (struck.Count > 0)
        {
            Heading("verdicts taken back");
            Struck(struck);
        }

        var work = device.Recent.Where(entry => entry.Check is null).ToList();
        if (work.Count > 0)
        {
            Heading("work");
            Work(work);
        }
    }

    private static void Credit(LedgerDevice device)
    {
        Heading("credit");
        var table = Tables.Create(">earned", ">held in escrow", ">can still be lost", ">its own", ">taken");
        table.Row([
            new Text(Say.Number(device.Reward)), new Text(Say.Number(device.Escrow)), new Text(Say.Number(device.Unvested)), new Text(Say.Number(device.Vested)),
            new Text(Say.Number(device.Slashed))]);
        table.Print();
    }

    private static void Standings(IReadOnlyList<LedgerDevice> devices)
    {
        if (devices.All(device => device is { Server: null, Verifier: null }))
        {
            return;
        }

        Heading("standing");
        var table = Tables.Create("device", "as", "standing", ">score", ">passed", ">soft", ">hard", ">positions passed", ">unpaid", "excluded since", "until", "as");
        foreach (var device in devices)
        {
            Role(device, "server", device.Server);
            Role(device, "verifier", device.Verifier);
        }

        table.Print();

        void Role(LedgerDevice device, string role, StandingFacts? facts)
        {
            if (facts is not null)
            {
                table.Row([
                    new Text(AnswerLines.Short(device.Device)), new Text(role), Tables.Standing(facts.Standing), new Text(Say.Number(facts.Score)), Count(facts.Passed),
                    Count(facts.Soft), Count(facts.Hard), Count(facts.PassedTokens), facts.UnpaidTokens == 0 ? None : Count(facts.UnpaidTokens),
                    facts.ExcludedAt is null ? None : new Text(Time(facts.ExcludedAt)),
                    facts.ExcludedUntil is { } until ? new Text(Time(until)) : facts.ExcludedAt is null ? None : new Text("for good"),
                    facts.ExcludedAs is { } kind ? new Text(kind) : None]);
            }
        }
    }

    private static void Checks(List<LedgerLine> checks)
    {
        var isVerifier = checks.Exists(entry => entry.Check!.Role != "server");
        var table = Tables.Create([
            "when", "verdict", .. isVerifier ? ["as"] : Array.Empty<string>(), "result", "units", "positions", "session", "by", "reported by", "expected", "found", "proof", "reason"]);
        foreach (var entry in checks)
        {
            var check = entry.Check!;
            table.Row([
                new Text(Time(entry.At)),
                entry.Verdict is { } verdict ? new Text(verdict) : None,
                .. isVerifier ? [new Text(check.Role)] : Array.Empty<Text>(),
                entry.Struck is null ? Result(check.Result) : new Text($"{check.Result}, struck", new Style(Color.Grey)),
                new Text($"[{entry.First}, {entry.End})"),
                new Text(string.Create(CultureInfo.InvariantCulture, $"{check.Position}-{check.Position + entry.Tokens - 1}")),
                new Text(AnswerLines.Short(entry.Session)),
                Short(check.Verifier, 8),
                Short(entry.Reporter, 8),
                Short(check.Expected, 16),
                Short(check.Found, 16, check.Result == "hard" && check.Found != check.Expected ? Color.Red : Color.Default),
                Short(check.Proof, 16),
                new Text(check.Reason ?? "")]);
        }

        table.Print();
    }

    private static void Struck(List<LedgerLine> struck)
    {
        var table = Tables.Create("verdict", "why");
        foreach (var entry in struck)
        {
            table.Row([entry.Verdict is { } verdict ? new Text(verdict) : None, new Text(entry.Struck!)]);
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
