using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Node.Http;

/// <summary><c>GET /efedllm/v1/proofs/{hash}</c>: what proves a verdict, in its stored form. The first digits of its hash are enough where only one begins so.</summary>
internal static class ProofEndpoint
{
    /// <summary>Media type of a proof.</summary>
    public const string ProofType = "application/octet-stream";

    // Each is read whole, so that what a disk changed is never given away.
    private const int MostAtOnce = 4;

    /// <summary>Maps it.</summary>
    public static void MapProofs(this IEndpointRouteBuilder app, ProofStore proofs)
    {
        var running = 0;
        app.MapGet("/efedllm/v1/proofs/{hash}", async (HttpContext http, string hash) =>
        {
            var proof = Find(proofs, hash);
            try
            {
                if (Interlocked.Increment(ref running) > MostAtOnce)
                {
                    throw new ApiException(StatusCodes.Status429TooManyRequests, $"{MostAtOnce} proofs are fetched here already; ask again in a moment.", "rate_limit_error", code: "overloaded");
                }

                var bytes = await Task.Run(() => proofs.TryRead(proof, out var read) ? read : throw NotFound(hash), http.RequestAborted);
                http.Response.ContentType = ProofType;
                http.Response.ContentLength = bytes.Length;
                await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }
        });
    }

    /// <exception cref="ApiException">It is no name of a proof, of none that is here, or of several.</exception>
    private static Digest Find(ProofStore proofs, string hash)
    {
        if (hash.Length is < ProofStore.FewestDigits or > 2 * Digest.Bytes || !hash.All(char.IsAsciiHexDigit))
        {
            throw ApiException.Invalid("hash", $"A proof is named by {ProofStore.FewestDigits} to {2 * Digest.Bytes} hexadecimal digits of its hash.");
        }

        return proofs.Find(hash) switch
        {
            [var only] => only,
            [] => throw NotFound(hash),
            var several => throw new ApiException(StatusCodes.Status409Conflict, $"{several.Count} proofs begin with {hash}: give more digits.", param: "hash", code: "ambiguous"),
        };
    }

    private static ApiException NotFound(string hash)
        => new(StatusCodes.Status404NotFound, $"This gateway keeps no proof {hash}: it was made elsewhere, or gave way to newer ones.", param: "hash", code: "proof_not_found");
}
