using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Hosting;

/// <summary>How the ledger is asked.</summary>
internal static class LedgerQuestions
{
    /// <summary>The error code where the ledger says nothing of a device.</summary>
    public const string Refused = "account_refused";

    /// <summary>Asks, and waits for the answer.</summary>
    /// <typeparam name="T">What the answer is.</typeparam>
    /// <param name="ledger">The ledger.</param>
    /// <param name="question">The question.</param>
    /// <param name="patience">How long at most.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="TimeoutException">It does not answer.</exception>
    /// <exception cref="ApiException">It says nothing of the device, as the device's journal is not as the ledger wrote it: with <see cref="Refused"/>; the message says what to do.</exception>
    public static async Task<T> AskLedgerAsync<T>(this IActorRef ledger, object question, TimeSpan patience, CancellationToken cancellation)
    {
        try
        {
            return await ledger.Ask<object>(question, patience, cancellation) switch
            {
                T answer => answer,
                AccountRefused refused => throw new ApiException(StatusCodes.Status409Conflict, refused.Describe(), "server_error", code: Refused),
                var other => throw new InvalidOperationException($"The ledger answers {question.GetType().Name} with {other.GetType().Name}."),
            };
        }
        catch (AskTimeoutException error)
        {
            throw new TimeoutException(error.Message, error);
        }
    }
}
