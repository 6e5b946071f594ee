using Akka.Event;

namespace EFedLLM.Actors.Configuration;

/// <summary>Akka's log on standard error while the actor system starts and ends. <c>dispatchers.conf</c> names it.</summary>
internal sealed class StandardErrorStartLogger : MinimalLogger
{
    /// <inheritdoc/>
    protected override void Log(object message) => Console.Error.WriteLine(message);
}
