namespace EFedLLM.Node.Supervision;

/// <summary>In a child: notices that the parent has ended, by the end of the pipe that the parent holds.</summary>
internal static class ParentWatch
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // Kept here, or the collector would take it before it fires.
    private static Timer? s_last;

    /// <summary>Calls <paramref name="end"/> once when the parent is gone; where the process is still there some seconds later, ends it by force.</summary>
    public static void Start(Action end)
    {
        var thread = new Thread(() =>
        {
            var input = Console.OpenStandardInput();
            Span<byte> buffer = stackalloc byte[256];
            try
            {
                while (input.Read(buffer) > 0)
                {
                    // What the parent writes has no meaning; only the end has.
                }
            }
            catch (IOException)
            {
                // As good as the end.
            }

            s_last = new Timer(_ => System.Diagnostics.Process.GetCurrentProcess().Kill(), null, Patience, Timeout.InfiniteTimeSpan);
            end();
        })
        { IsBackground = true, Name = "parent-watch" };
        thread.Start();
    }
}
