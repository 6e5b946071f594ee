using System.Threading.Channels;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;
using Spectre.Console;

namespace EFedLLM.Node.CommandLine;

/// <summary>A conversation at the terminal: lines in, answers out token by token, all turns remembered.</summary>
internal sealed class ChatLoop
{
    private const string Greeting = "Type a message. /clear forgets the conversation, /exit or Ctrl-D leaves.";

    private readonly IAnswerSource _source;
    private readonly GenerateRequest _request;
    private readonly string? _system;
    private readonly List<ChatLine> _turns = [];

    /// <summary>Creates a conversation.</summary>
    /// <param name="source">Who answers.</param>
    /// <param name="request">How to generate.</param>
    /// <param name="system">A message in front of all others, or null.</param>
    public ChatLoop(IAnswerSource source, GenerateRequest request, string? system)
    {
        (_source, _request, _system) = (source, request, system);
        Forget();
    }

    /// <summary>Talks until the person leaves, the input ends or it is cancelled.</summary>
    /// <returns>How many lines were read.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        if (!Console.IsInputRedirected)
        {
            Screen.Note(Greeting);
        }

        var lines = ReadLines();
        for (var read = 0; ; read++)
        {
            Ask();
            if (await NextAsync(lines, cancellation) is not { } line)
            {
                EndLine();
                return read;
            }

            if (line is "/exit" or "/quit")
            {
                return read;
            }

            if (line == "/clear")
            {
                Forget();
                Screen.Note("Forgotten.");
            }
            else if (line.Length > 0)
            {
                await AnswerAsync(line, cancellation);
            }
        }
    }

    private static void Ask()
    {
        if (!Console.IsInputRedirected)
        {
            Screen.Side.Markup("[green]>[/] ");
        }
    }

    /// <summary>Behind Ctrl-D or Ctrl-C the shell's prompt begins a line of its own.</summary>
    private static void EndLine()
    {
        if (!Console.IsInputRedirected)
        {
            Screen.Side.WriteLine();
        }
    }

    private async Task AnswerAsync(string line, CancellationToken cancellation)
    {
        _turns.Add(new ChatLine("user", line));
        try
        {
            var answer = await AnswerCollector.CollectAsync(_source, _request with { Messages = [.. _turns] }, Console.Out.Write, cancellation);
            Console.Out.WriteLine();
            _turns.Add(new ChatLine("assistant", answer.Text));
            if (!Console.IsInputRedirected)
            {
                Screen.Note($"{AnswerLines.Timing(answer.Timing)}, {Say.Count(answer.Route.Count, "hop")}");
            }
        }
        catch (UserErrorException error) when (error.ExitCode != ExitCodes.NotReachable)
        {
            // The question is taken back, so that asking again does not ask twice.
            _turns.RemoveAt(_turns.Count - 1);
            Console.Out.WriteLine();
            Screen.Error(error.Message);
        }
    }

    private void Forget()
    {
        _turns.Clear();
        if (_system is not null)
        {
            _turns.Add(new ChatLine("system", _system));
        }
    }

    private static async Task<string?> NextAsync(ChannelReader<string> lines, CancellationToken cancellation)
    {
        try
        {
            return await lines.WaitToReadAsync(cancellation) && lines.TryRead(out var line) ? line.Trim() : null;
        }
        catch (OperationCanceledException)
        {
            EndLine();
            throw;
        }
    }

    /// <summary>A terminal cannot be read with a token: a thread of its own reads it, so that Ctrl-C is never late.</summary>
    private static ChannelReader<string> ReadLines()
    {
        // Unbounded only in name: a person types, or a script's input is there already.
        var lines = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var thread = new Thread(() =>
        {
            while (Console.In.ReadLine() is { } line)
            {
                lines.Writer.TryWrite(line);
            }

            lines.Writer.TryComplete();
        })
        { IsBackground = true, Name = "chat-input" };
        thread.Start();
        return lines.Reader;
    }
}
