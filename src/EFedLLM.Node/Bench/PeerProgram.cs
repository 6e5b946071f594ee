using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.Bench;

/// <summary>A program that measures a model as llama.cpp's llama-bench does and understands its command line: <c>-m -t -p -n -r -ngl -o json</c>.</summary>
internal sealed class PeerProgram
{
    private const int MostOutput = 1 << 20;
    private const int MostSaid = 400;

    private readonly string _file;
    private readonly TimeSpan _limit;

    /// <summary>Names the program; nothing is started.</summary>
    /// <param name="file">Its path, or its name where it is on the search path.</param>
    /// <param name="model">The model file that it measures.</param>
    /// <param name="limit">How long a run may take.</param>
    /// <exception cref="UserErrorException">There is no such file.</exception>
    public PeerProgram(string file, string model, TimeSpan limit)
    {
        var isPath = file.Contains(Path.DirectorySeparatorChar) || file.Contains(Path.AltDirectorySeparatorChar) || File.Exists(file);
        if (isPath && !File.Exists(file))
        {
            throw new UserErrorException($"There is no program \"{file}\".");
        }

        if (!File.Exists(model))
        {
            throw new UserErrorException($"There is no file \"{model}\" for {Path.GetFileName(file)} to measure.");
        }

        (_file, Model, _limit) = (isPath ? Path.GetFullPath(file) : file, Path.GetFullPath(model), limit);
    }

    /// <summary>What it is called.</summary>
    public string Name => Path.GetFileNameWithoutExtension(_file);

    /// <summary>The model file that it measures.</summary>
    public string Model { get; }

    /// <summary>Runs it once, for one repetition of both phases.</summary>
    /// <param name="threads">Compute threads.</param>
    /// <param name="settings">How many tokens.</param>
    /// <param name="cancellation">Ends it, and the processes that it started.</param>
    /// <exception cref="UserErrorException">It cannot be started, fails, takes too long, or does not print what was asked for; the message says which.</exception>
    public async Task<PeerResult> MeasureAsync(int threads, BenchSettings settings, CancellationToken cancellation)
    {
        using var process = Start(threads, settings);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(_limit);
        try
        {
            var output = ReadAsync(process.StandardOutput, MostOutput, patience.Token);
            var said = ReadEndAsync(process.StandardError, patience.Token);
            var text = await output;
            var words = await said;
            await process.WaitForExitAsync(patience.Token);
            if (process.ExitCode != 0)
            {
                throw new UserErrorException($"{Name} ended with exit code {process.ExitCode}. {(words.Length == 0 ? "It said nothing." : $"It said: {words}")}");
            }

            return PeerOutput.Parse(text, Name, threads, settings);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new UserErrorException($"{Name} was not done within {Say.Milliseconds(_limit.TotalMilliseconds)} and was ended: give it longer with --vs-limit, or fewer tokens.");
        }
        finally
        {
            await EndAsync(process);
        }
    }

    /// <summary>Text on one line, without what would move a terminal's cursor.</summary>
    internal static string OneLine(string text) => string.Join(' ', string.Concat(text.Select(letter => char.IsControl(letter) ? ' ' : letter)).Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private Process Start(int threads, BenchSettings settings)
    {
        var start = new ProcessStartInfo(_file) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var argument in (IEnumerable<string>)["-m", Model, "-t", Number(threads), "-p", Number(settings.PromptTokens), "-n", Number(settings.DecodeTokens), "-r", "1", "-ngl", "0", "-o", "json"])
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            var process = Process.Start(start) ?? throw new UserErrorException($"{_file} could not be started.");
            process.StandardInput.Close();
            return process;
        }
        catch (Win32Exception error)
        {
            // The exception's own message speaks of the folder that this program runs in.
            throw new UserErrorException($"\"{_file}\" cannot be started: {new Win32Exception(error.NativeErrorCode).Message}.", inner: error);
        }

        static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
    }

    private static async Task EndAsync(Process process)
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
        }

        await process.WaitForExitAsync(CancellationToken.None);
    }

    private async Task<string> ReadAsync(StreamReader reader, int most, CancellationToken cancellation)
    {
        var text = new StringBuilder();
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer, cancellation) is var count and > 0)
        {
            text.Append(buffer, 0, count);
            if (text.Length > most)
            {
                throw new UserErrorException($"{Name} printed more than {Say.Bytes(most)} and was ended: it is no llama-bench.");
            }
        }

        return text.ToString();
    }

    /// <summary>Reads to the end and keeps the last words: a full pipe would stop the program.</summary>
    private static async Task<string> ReadEndAsync(StreamReader reader, CancellationToken cancellation)
    {
        var end = new StringBuilder();
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer, cancellation) is var count and > 0)
        {
            end.Append(buffer, 0, count).Remove(0, Math.Max(0, end.Length - MostSaid));
        }

        return OneLine(end.ToString());
    }
}
