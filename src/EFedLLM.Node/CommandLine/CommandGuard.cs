using System.CommandLine;
using System.Globalization;
using Akka.Configuration;
using EFedLLM.Actors.Reputation;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary>Runs a command's body so that every failure becomes one sentence on standard error and an exit code.</summary>
internal static class CommandGuard
{
    /// <summary>Sets a command's body.</summary>
    public static void Runs(this Command command, Func<ParseResult, CancellationToken, Task<int>> body) =>
        command.SetAction((parse, cancellation) => RunAsync(() => body(parse, cancellation), cancellation));

    /// <summary>Runs a body.</summary>
    internal static async Task<int> RunAsync(Func<Task<int>> body, CancellationToken cancellation)
    {
        try
        {
            return await body();
        }
        catch (Exception error)
        {
            var (message, code) = Explain(error, cancellation);
            if (message is not null)
            {
                Screen.Error(message);
            }

            return code;
        }
    }

    /// <summary>The sentence and the exit code for a failure; no sentence where the person ended the command.</summary>
    internal static (string? Message, int Code) Explain(Exception error, CancellationToken cancellation) => error switch
    {
        AggregateException { InnerExceptions.Count: 1 } one => Explain(one.InnerException!, cancellation),
        UserErrorException user => (user.Message, user.ExitCode),
        OperationCanceledException when cancellation.IsCancellationRequested => (null, ExitCodes.Interrupted),
        LedgerUnavailableException ledger => (ledger.Message, ExitCodes.Failed),
        ConfigurationException setting => (setting.Message, ExitCodes.Usage),
        UnauthorizedAccessException or IOException or InvalidDataException or NotSupportedException or TimeoutException =>
            (error.Message, ExitCodes.Failed),
        ArgumentException argument => (WithoutParameter(argument), ExitCodes.Usage),
        ArithmeticException => ($"The model does not lead to finite numbers: {error.Message}", ExitCodes.Failed),
        InvalidOperationException => (error.Message, ExitCodes.Failed),
        _ => (string.Create(CultureInfo.InvariantCulture, $"Something unexpected happened ({error.GetType().Name}): {error.Message}"), ExitCodes.Failed),
    };

    /// <summary>.NET appends the parameter's name to the message, which means nothing to the person.</summary>
    private static string WithoutParameter(ArgumentException error)
    {
        var suffix = $" (Parameter '{error.ParamName}')";
        return error.Message.Replace(suffix, "", StringComparison.Ordinal);
    }
}
