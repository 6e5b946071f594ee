using System.CommandLine;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm ledger appeal</c>: a verdict whose proof does not hold is taken back.</summary>
internal static class AppealCommand
{
    private const int DeviceDigits = 32;

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var device = new Argument<string>("device") { Description = "The device's id, or its first digits." };
        var verdict = new Argument<string>("verdict") { Description = "The verdict's id, or its first digits, as \"efedllm ledger show\" has it." };
        var force = new Option<bool>("--force") { Description = "Take it back although nothing can be replayed. One whose proof holds stands all the same." };
        var reason = new Option<string?>("--reason") { Description = "Why, where it is forced. It stays in the ledger.", HelpName = "text" };
        var json = CommonOptions.Json();
        var command = new Command("appeal", "Have the proof of a verdict replayed. One that does not hold is taken back, as if it had never been.") { device, verdict, force, reason, json };
        var @operator = new OperatorOptions(command);
        command.Runs(async (parse, cancellation) =>
        {
            var (id, named) = (Hex(parse.GetRequiredValue(device), DeviceDigits, "A device id"), Hex(parse.GetRequiredValue(verdict), VerdictId.Digits, "A verdict's id"));
            var why = parse.GetValue(reason)?.Trim();
            if (parse.GetValue(force) == string.IsNullOrEmpty(why))
            {
                throw new UserErrorException("--force and --reason belong together: whoever takes a verdict back without a proof says why.", ExitCodes.Usage);
            }

            await using var client = @operator.Connect(parse);
            var result = await client.AppealAsync(id, new AppealRequest(named, parse.GetValue(force), why), cancellation);
            if (parse.GetValue(json))
            {
                Screen.Json(result, ApiJson.Default.AppealResult);
            }
            else
            {
                Console.Out.WriteLine(Describe(result));
            }

            return result.Outcome == "struck" ? ExitCodes.Ok : ExitCodes.Failed;
        });
        return command;
    }

    /// <summary>The result in words.</summary>
    internal static string Describe(AppealResult result)
    {
        var what = $"verdict {result.Verdict} on device {AnswerLines.Short(result.Device)}";
        return result.Outcome switch
        {
            "struck" => $"{what} is struck. {result.Text} The device is trusted so far: {result.Standing} as a server, {result.VerifierStanding} as a verifier.",
            "stands" => $"{what} stands. {result.Text}",
            _ => $"{what} was not decided. {result.Text}",
        };
    }

    private static string Hex(string text, int most, string what)
    {
        var digits = text.Trim().ToLowerInvariant();
        return digits.Length is > 0 && digits.Length <= most && digits.All(char.IsAsciiHexDigit)
            ? digits
            : throw new UserErrorException($"{what} is up to {most} hexadecimal digits; \"{text}\" is not.", ExitCodes.Usage);
    }
}
