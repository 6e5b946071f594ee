using Akka.Actor;
using Akka.Dispatch;
using Akka.Event;

namespace EFedLLM.Actors.Configuration;

/// <summary>Akka's log on standard error, for programs that bring no logger of their own. <c>dispatchers.conf</c> names it.</summary>
internal sealed class StandardErrorLogger : ReceiveActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    /// <summary>Logs what the event stream brings.</summary>
    public StandardErrorLogger()
    {
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
        Receive<LogEvent>(Console.Error.WriteLine);
    }
}
