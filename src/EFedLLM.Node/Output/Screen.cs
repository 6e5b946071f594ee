using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>Where the program writes: facts and answers to standard output, everything else to standard error, so that pipes carry answers only.</summary>
internal static class Screen
{
    private static readonly Lazy<IAnsiConsole> OutConsole = new(() => Create(Console.Out, Console.IsOutputRedirected));
    private static readonly Lazy<IAnsiConsole> ErrorConsole = new(() => Create(Console.Error, Console.IsErrorRedirected));

    /// <summary>Facts and answers.</summary>
    public static IAnsiConsole Out => OutConsole.Value;

    /// <summary>Progress, notes and errors.</summary>
    public static IAnsiConsole Side => ErrorConsole.Value;

    /// <summary>Writes a failure.</summary>
    public static void Error(string message)
    {
        // A redirected message stays one line, whatever its length.
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"efedllm: {message}");
        }
        else
        {
            Side.MarkupLineInterpolated($"[red]efedllm:[/] {message}");
        }
    }

    /// <summary>Writes a remark.</summary>
    public static void Note(string message)
    {
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine(message);
        }
        else
        {
            Side.MarkupLineInterpolated($"[grey]{message}[/]");
        }
    }

    /// <summary>Shows a moving sign beside <paramref name="what"/> while something is waited for; nothing where nobody watches.</summary>
    public static Task<T> WaitingAsync<T>(string what, Func<Task<T>> wait) => Console.IsErrorRedirected
        ? wait()
        : Side.Status().Spinner(Spinner.Known.Dots).StartAsync(Markup.Escape(what), _ => wait());

    /// <summary>Writes one JSON document to standard output.</summary>
    public static void Json<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        Console.Out.WriteLine(System.Text.Json.JsonSerializer.Serialize(value, type));

    private static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (redirected)
        {
            // A file or a pipe has no width: tables keep one line a row.
            console.Profile.Width = 200;
        }

        return console;
    }
}
