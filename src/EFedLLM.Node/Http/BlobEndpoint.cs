using System.Globalization;
using System.Net;
using System.Threading.RateLimiting;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Configuration;
using Microsoft.Net.Http.Headers;

namespace EFedLLM.Node.Http;

/// <summary><c>GET</c> and <c>HEAD /blobs/{sha256}</c>: a file of a known model, or a range of it. Everything else is refused before a disk is touched.</summary>
internal sealed class BlobEndpoint : IDisposable
{
    private const string Prefix = "/blobs/";
    private const string RetrySeconds = "1";

    private readonly BlobStore _store;
    private readonly BlobLimits _limits;
    private readonly SemaphoreSlim _places;
    private readonly PartitionedRateLimiter<IPAddress> _rate;

    /// <summary>Gives the files of <paramref name="store"/>.</summary>
    public BlobEndpoint(BlobStore store, BlobLimits limits)
    {
        (_store, _limits, _places) = (store, limits, new SemaphoreSlim(limits.Uploads));
        _rate = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address => RateLimitPartition.GetFixedWindowLimiter(
            address, _ => new FixedWindowRateLimiterOptions { PermitLimit = limits.Requests, Window = TimeSpan.FromSeconds(1), QueueLimit = 0 }));
    }

    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        var (request, response) = (http.Request, http.Response);
        var isHead = HttpMethods.IsHead(request.Method);
        if (!isHead && !HttpMethods.IsGet(request.Method))
        {
            response.Headers.Allow = "GET, HEAD";
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return;
        }

        using var lease = _rate.AttemptAcquire(http.Connection.RemoteIpAddress ?? IPAddress.None);
        if (!lease.IsAcquired)
        {
            Refuse(response, StatusCodes.Status429TooManyRequests);
            return;
        }

        var path = request.Path.Value ?? "";
        if (!path.StartsWith(Prefix, StringComparison.Ordinal) || !_store.TryFind(path[Prefix.Length..], out var file))
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        // What a name names never changes, so the name is the tag.
        var tag = new EntityTagHeaderValue($"\"{path[Prefix.Length..]}\"");
        response.Headers.ETag = tag.ToString();
        response.Headers.AcceptRanges = "bytes";
        response.ContentType = "application/octet-stream";
        var typed = request.GetTypedHeaders();
        var isSame = typed.IfRange is not { } condition || condition.EntityTag?.Compare(tag, useStrongComparison: true) == true;
        if (ByteRange.Resolve(isHead || !isSame ? null : typed.Range, file.Bytes, _limits.LargestRange) is not { } range)
        {
            response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{file.Bytes}");
            response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            return;
        }

        if (range.IsPartial)
        {
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = new ContentRangeHeaderValue(range.Offset, range.Offset + range.Length - 1, file.Bytes).ToString();
        }

        response.ContentLength = range.Length;
        if (!isHead)
        {
            await SendAsync(http, file, range);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rate.Dispose();
        _places.Dispose();
    }

    private async Task SendAsync(HttpContext http, BlobFile file, ByteRange range)
    {
        if (!await _places.WaitAsync(TimeSpan.Zero))
        {
            http.Response.Headers.Clear();
            Refuse(http.Response, StatusCodes.Status503ServiceUnavailable);
            return;
        }

        try
        {
            await http.Response.SendFileAsync(file.Path, range.Offset, range.Length, http.RequestAborted);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException && !http.Response.HasStarted)
        {
            // It made room for another since it was found.
            http.Response.Clear();
            http.Response.StatusCode = StatusCodes.Status404NotFound;
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Whoever asked has gone.
        }
        finally
        {
            _places.Release();
        }
    }

    private static void Refuse(HttpResponse response, int status)
    {
        response.Headers.RetryAfter = RetrySeconds;
        response.StatusCode = status;
        response.ContentLength = 0;
    }
}
