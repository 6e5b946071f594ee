using System.Runtime.CompilerServices;
using System.Threading.Channels;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.Local;

/// <summary>A whole model in this process: the reference that a cluster is compared with. One generation at a time.</summary>
internal sealed class LocalAnswerSource : IAnswerSource
{
    private readonly LocalSettings _settings;
    private readonly IModelSource _model;
    private readonly ComputeTeam _team;
    private readonly LocalGenerator _generator;
    private readonly ModelTokenizer _tokenizer;

    private LocalAnswerSource(LocalSettings settings, IModelSource model)
    {
        (_settings, _model) = (settings, model);
        _tokenizer = ModelTokenizer.Load(model.Folder);
        _team = new ComputeTeam(settings.Threads);
        _generator = new LocalGenerator(model, _team, settings.Chunk, memory: DeviceMemory.ForWeights(settings.MemoryBytes));
    }

    /// <summary>Loads the model of the settings.</summary>
    /// <exception cref="UserErrorException">There is no such model.</exception>
    public static async Task<LocalAnswerSource> OpenAsync(LocalSettings settings, CancellationToken cancellation)
    {
        var model = await LocalModel.OpenAsync(settings, cancellation);
        try
        {
            return new LocalAnswerSource(settings, model);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<GenerateEvent> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var prompt = ToPrompt(request);
        int[] tokens = prompt.Input switch
        {
            { Tokens: { } ids } => [.. ids],
            { Messages: { } messages } => _tokenizer.Encode(LocalModel.Template(_model, _settings.ChatTemplate).Render(messages)),
            _ => _tokenizer.Encode(prompt.Input.Text!),
        };
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // Holds no more than the answer's tokens.
        var events = Channel.CreateUnbounded<GenerateEvent>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var running = Task.Factory.StartNew(
            () => Run(tokens, prompt.Settings, events.Writer, leaving.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            yield return new StartedEvent(
                prompt.Id.ToString(), LocalModel.NameOf(_model), _model.Id.Value, tokens,
                [new RouteHop("local", "local", 0, _model.Shape.Units, LayerRange.Whole(_model.Shape.Layers).Describe(_model.Shape.Layers))]);
            await foreach (var next in events.Reader.ReadAllAsync(cancellation))
            {
                yield return next;
            }
        }
        finally
        {
            await leaving.CancelAsync();
            await running;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _generator.Dispose();
        _team.Dispose();
        _model.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Prompt ToPrompt(GenerateRequest request)
    {
        if (request.Verified)
        {
            throw new UserErrorException("In one process there is nobody to verify: leave --verified out.", ExitCodes.Usage);
        }

        if (request.Drafts > 0)
        {
            throw new UserErrorException("In one process nothing is guessed ahead: leave --drafts out.", ExitCodes.Usage);
        }

        if (request.ScorePrompt)
        {
            throw new UserErrorException("Only a gateway scores prompts; in one process, efedllm eval scores texts.", ExitCodes.Usage);
        }

        try
        {
            return NativeRequest.ToPrompt(request, new HttpApiSettings());
        }
        catch (ApiException error)
        {
            throw new UserErrorException(error.Message, ExitCodes.Usage, error);
        }
    }

    private void Run(int[] tokens, GenerationSettings settings, ChannelWriter<GenerateEvent> events, CancellationToken cancellation)
    {
        try
        {
            var index = 0;
            foreach (var output in _generator.Generate(tokens, settings, _tokenizer, cancellation))
            {
                events.TryWrite(output switch
                {
                    GeneratedToken token => new TokenEvent(
                        index++, token.Choice.Id, token.Choice.Logprob, EventTranslator.Top(token.Choice), token.Text),
                    EFedLLM.Transformer.Generation.GenerationEnd finished => new FinishedEvent(EventTranslator.Reason(finished.Reason), finished.Text, Timing(finished.Timing)),
                    _ => throw new InvalidOperationException($"{output.GetType().Name} is no part of a generation."),
                });
            }

            events.Complete();
        }
        catch (Exception error)
        {
            // It is thrown where the events are read.
            events.Complete(error);
        }
    }

    private static AnswerTiming Timing(EFedLLM.Transformer.Generation.LocalTiming timing) => new(
        timing.PromptTokens, timing.GeneratedTokens, 0, timing.Prefill.TotalMilliseconds, timing.Decode.TotalMilliseconds,
        [(timing.Prefill + timing.Decode).TotalMilliseconds]);
}
