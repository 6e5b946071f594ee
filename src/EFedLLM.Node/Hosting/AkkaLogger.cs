using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Dispatch;
using Akka.Event;
using AkkaLevel = Akka.Event.LogLevel;

namespace EFedLLM.Node.Hosting;

/// <summary>Gives an actor system the log that <see cref="AkkaLogger"/> writes to.</summary>
/// <param name="log">The log.</param>
internal sealed class AkkaLogSetup(ILoggerProvider log) : Setup
{
    /// <summary>The log.</summary>
    public ILoggerProvider Log { get; } = log;
}

/// <summary>Writes what actors log into the node's log.</summary>
internal sealed class AkkaLogger : ReceiveActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    /// <summary>The settings that make it the only logger.</summary>
    public static string Settings { get; } = $"""
        akka.loggers = ["{NameOf(typeof(AkkaLogger))}"]
        akka.stdout-logger-class = "{NameOf(typeof(SilentStartLogger))}"
        """;

    /// <summary>Logs what the event stream brings.</summary>
    public AkkaLogger()
    {
        var log = Context.System.Settings.Setup.Get<AkkaLogSetup>().Value.Log;
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
        Receive<LogEvent>(entry =>
        {
            var source = entry.LogSource;
            var end = source.IndexOf(" (", StringComparison.Ordinal);
            var name = end < 0 ? source : source[..end];
            log.CreateLogger(name[(name.LastIndexOf('/') + 1)..]).Log(Level(entry.LogLevel()), 0, entry, entry.Cause, static (logged, _) => logged.Message?.ToString() ?? "");
        });
    }

    private static string NameOf(Type type) => $"{type.FullName}, {type.Assembly.GetName().Name}";

    private static Microsoft.Extensions.Logging.LogLevel Level(AkkaLevel level) => level switch
    {
        AkkaLevel.DebugLevel => Microsoft.Extensions.Logging.LogLevel.Debug,
        AkkaLevel.InfoLevel => Microsoft.Extensions.Logging.LogLevel.Information,
        AkkaLevel.WarningLevel => Microsoft.Extensions.Logging.LogLevel.Warning,
        _ => Microsoft.Extensions.Logging.LogLevel.Error,
    };
}
