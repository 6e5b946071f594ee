using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>
/// Asks peers for files, by HTTP ranges (RFC 9110, section 14). Nothing that a peer says is believed: lengths must be those that were asked
/// for, and no more is read. Of a piece 128 KiB are in memory at a time.
/// </summary>
internal sealed class BlobClient : IDisposable
{
    private const int BufferBytes = 128 << 10;
    private const int MostHeaderKilobytes = 16;

    /// <summary>A peer that gives less than so many bytes a second might as well give nothing.</summary>
    private const long LeastBytesPerSecond = 16 << 10;

    private readonly HttpClient _http;
    private readonly TimeSpan _stall;

    /// <summary>With the limits of a node and, where the cluster has TLS, its certificate.</summary>
    public BlobClient(BlobLimits limits, NodeCertificate? certificate)
    {
        _stall = limits.Stall;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = limits.Stall,
            MaxConnectionsPerServer = limits.PerPeer,
            MaxResponseHeadersLength = MostHeaderKilobytes,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        if (certificate is not null)
        {
            // The same on either side as Akka's transport demands: who has a certificate of the authority is a member.
            handler.SslOptions = new SslClientAuthenticationOptions
            {
                ClientCertificates = [certificate.Certificate],
                LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate.Certificate,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                RemoteCertificateValidationCallback = (_, shown, _, _) => certificate.Reject(shown as X509Certificate2) is null,
            };
        }

        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, DefaultRequestVersion = HttpVersion.Version11 };
    }

    /// <summary>Fetches a piece to where it belongs.</summary>
    /// <param name="peer">Base address of the peer's files.</param>
    /// <param name="part">The file.</param>
    /// <param name="piece">The piece's index.</param>
    /// <param name="arrived">Told of bytes as they come.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>The piece's SHA-256, lower-case hexadecimal.</returns>
    /// <exception cref="PeerBusyException">It is to be asked again later.</exception>
    /// <exception cref="IOException">The peer failed, or this machine's disk did.</exception>
    /// <exception cref="HttpRequestException">The peer cannot be reached.</exception>
    /// <exception cref="TimeoutException">The peer is silent or far too slow.</exception>
    public async Task<string> FetchPieceAsync(Uri peer, PartialBlob part, int piece, Action<int> arrived, CancellationToken cancellation)
    {
        var (offset, length) = (part.OffsetOf(piece), part.LengthOf(piece));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(peer, $"blobs/{part.Sha256}"));
        request.Headers.Range = new RangeHeaderValue(offset, offset + length - 1);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await ReadAsync(
            request,
            length,
            response => response.StatusCode == HttpStatusCode.PartialContent
                && response.Content.Headers.ContentRange is { Unit: "bytes" } range
                && (range.From, range.To, range.Length) == (offset, offset + length - 1, part.Bytes)
                && response.Content.Headers.ContentLength == length,
            async (bytes, at) =>
            {
                hash.AppendData(bytes.Span);
                await part.WriteAsync(offset + at, bytes, cancellation).ConfigureAwait(false);
                arrived(bytes.Length);
            },
            cancellation).ConfigureAwait(false);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Fetches what a peer says is the manifest of a model. Its length is bounded, its content is not looked at.</summary>
    /// <exception cref="PeerBusyException">It is to be asked again later.</exception>
    /// <exception cref="IOException">The peer failed.</exception>
    /// <exception cref="HttpRequestException">The peer cannot be reached.</exception>
    /// <exception cref="TimeoutException">The peer is silent or far too slow.</exception>
    public async Task<byte[]> FetchManifestAsync(Uri peer, ModelId model, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(peer, $"blobs/{model.Value}"));
        using var json = new MemoryStream();
        await ReadAsync(
            request,
            null,
            response => response.StatusCode == HttpStatusCode.OK && response.Content.Headers.ContentLength is >= 0 and <= ModelManifest.MaximumBytes,
            (bytes, _) =>
            {
                json.Write(bytes.Span);
                return ValueTask.CompletedTask;
            },
            cancellation).ConfigureAwait(false);
        return json.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task ReadAsync(
        HttpRequestMessage request, long? expected, Func<HttpResponseMessage, bool> fits, Func<ReadOnlyMemory<byte>, long, ValueTask> take, CancellationToken cancellation)
    {
        using var whole = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        whole.CancelAfter(_stall + TimeSpan.FromSeconds((double)(expected ?? ModelManifest.MaximumBytes) / LeastBytesPerSecond));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(whole.Token);
        patience.CancelAfter(_stall);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
            if (response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests)
            {
                throw new PeerBusyException();
            }

            if (!fits(response))
            {
                throw new IOException($"it answered {(int)response.StatusCode} and not what it was asked for");
            }

            var length = expected ?? response.Content.Headers.ContentLength!.Value;
            await using var body = await response.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false);
            for (var at = 0L; at < length;)
            {
                patience.CancelAfter(_stall);
                var read = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(BufferBytes, length - at)), patience.Token).ConfigureAwait(false);
                if (read == 0)
                {
                    throw new IOException($"it ended after {at} of {length} bytes");
                }

                await take(buffer.AsMemory(0, read), at).ConfigureAwait(false);
                at += read;
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException(whole.IsCancellationRequested ? "it is far too slow" : $"it sent nothing for {_stall.TotalSeconds:0.#} s");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
