using Akka.Event;

namespace EFedLLM.Node.Hosting;

/// <summary>What Akka would say on the console before and after its loggers run: nothing. What fails there is thrown as well, and told once.</summary>
internal sealed class SilentStartLogger : MinimalLogger
{
    /// <inheritdoc/>
    protected override void Log(object message)
    {
    }
}
