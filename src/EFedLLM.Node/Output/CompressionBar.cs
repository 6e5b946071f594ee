using EFedLLM.Compression;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>Shows how far a compression is, on standard error: a bar with the time left where a person watches, nothing in a pipe.</summary>
internal static class CompressionBar
{
    // Most models of a demonstration are done before anybody could read a bar.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(300);

    /// <summary>Runs long work off this thread.</summary>
    /// <param name="what">What is done, for people.</param>
    /// <param name="work">The work; it reports its progress.</param>
    public static async Task<T> RunAsync<T>(string what, Func<IProgress<CompressionProgress>, T> work)
    {
        var bar = new Bar();
        var result = Task.Factory.StartNew(() => work(bar), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (Console.IsErrorRedirected || await Task.WhenAny(result, Task.Delay(Patience)) == result)
        {
            return await result;
        }

        await Screen.Side.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                bar.Show(context.AddTask(Markup.Escape(what)), what);
                await Task.WhenAny(result);
            });
        return await result;
    }

    private sealed class Bar : IProgress<CompressionProgress>
    {
        private readonly Lock _lock = new();
        private CompressionProgress _latest;
        private ProgressTask? _task;
        private string _what = "";

        public void Show(ProgressTask task, string what)
        {
            lock (_lock)
            {
                (_task, _what) = (task, what);
                Update();
            }
        }

        public void Report(CompressionProgress value)
        {
            lock (_lock)
            {
                _latest = value;
                Update();
            }
        }

        private void Update()
        {
            if (_task is not null && _latest.TotalBytes > 0)
            {
                _task.MaxValue = _latest.TotalBytes;
                _task.Value = _latest.Bytes;
                _task.Description = Markup.Escape($"{_what}: {_latest.Stage}");
            }
        }
    }
}
