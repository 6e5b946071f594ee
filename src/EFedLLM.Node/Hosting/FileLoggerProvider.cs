using System.Collections.Concurrent;
using System.Globalization;

namespace EFedLLM.Node.Hosting;

/// <summary>Writes a node's log to a file, off the threads that log. What cannot be kept up with is counted, not waited for.</summary>
internal sealed class FileLoggerProvider : ILoggerProvider
{
    private const int MostWaiting = 8192;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly BlockingCollection<string> _lines = new(MostWaiting);
    private readonly TimeProvider _clock;
    private readonly bool _echo;
    private readonly Thread _writer;
    private long _dropped;

    /// <summary>Opens the log; the one of the run before is kept beside it.</summary>
    /// <param name="folder">The node's data folder.</param>
    /// <param name="echo">Whether each line goes to standard error too.</param>
    /// <param name="clock">Gives the times.</param>
    public FileLoggerProvider(string folder, bool echo, TimeProvider clock)
    {
        (_echo, _clock) = (echo, clock);
        var path = Path.Combine(folder, NodeFiles.Log);
        if (File.Exists(path))
        {
            File.Move(path, Path.Combine(folder, NodeFiles.PreviousLog), overwrite: true);
        }

        var file = new StreamWriter(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read));
        _writer = new Thread(() => Write(file)) { IsBackground = true, Name = "log" };
        _writer.Start();
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new FileLogger(this, categoryName);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_lines.IsAddingCompleted)
        {
            _lines.CompleteAdding();
            // The last lines are the ones that explain an end.
            if (_writer.Join(Patience))
            {
                _lines.Dispose();
            }
        }
    }

    private void Add(LogLevel level, string category, string message, Exception? error)
    {
        var name = category[(category.LastIndexOf('.') + 1)..];
        var line = string.Create(CultureInfo.InvariantCulture, $"{_clock.GetUtcNow():HH:mm:ss.fff} {Short(level)} {name}: {message}");
        try
        {
            if (!_lines.TryAdd(error is null ? line : $"{line}{Environment.NewLine}{error}"))
            {
                Interlocked.Increment(ref _dropped);
            }
        }
        catch (Exception late) when (late is InvalidOperationException or ObjectDisposedException)
        {
            // Logged after the end of the log.
        }
    }

    private void Write(StreamWriter file)
    {
        using (file)
        {
            foreach (var line in _lines.GetConsumingEnumerable())
            {
                file.WriteLine(line);
                if (_echo)
                {
                    Console.Error.WriteLine(line);
                }

                if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
                {
                    file.WriteLine(string.Create(CultureInfo.InvariantCulture, $"({dropped} lines were dropped: more was logged than could be written)"));
                }

                if (_lines.Count == 0)
                {
                    file.Flush();
                }
            }
        }
    }

    private static string Short(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info ",
        LogLevel.Warning => "WARN ",
        _ => "ERROR",
    };

    private sealed class FileLogger(FileLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                provider.Add(logLevel, category, formatter(state, exception), exception);
            }
        }
    }
}
