using System.Threading.Channels;

namespace EFedLLM.Actors.Tests.Configuration;

internal static class ChannelExtensions
{
    /// <summary>The first message that fits; those before it are passed over.</summary>
    public static async Task<T> FirstAsync<T>(this ChannelReader<object> messages, Func<T, bool> fits)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (true)
        {
            if (await messages.ReadAsync(patience.Token) is T message && fits(message))
            {
                return message;
            }
        }
    }
}
