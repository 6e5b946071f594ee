using System.Net;
using System.Text;

namespace EFedLLM.Node.Tests.CommandLine;

/// <summary>Answers every request with the same status and body, and keeps the last request.</summary>
internal sealed class CannedHandler(HttpStatusCode status, string body) : HttpMessageHandler
{
    public string? Path { get; private set; }

    public string? Body { get; private set; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Path = request.RequestUri?.PathAndQuery;
        Body = request.Content is null ? null : await request.Content.ReadAsStringAsync(cancellationToken);
        return new HttpResponseMessage(status) { Content = new StringContent(body, Encoding.UTF8), RequestMessage = request };
    }
}
