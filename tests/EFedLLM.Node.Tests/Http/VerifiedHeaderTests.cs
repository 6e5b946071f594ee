using EFedLLM.Node.Http;
using Microsoft.AspNetCore.Http;

namespace EFedLLM.Node.Tests.Http;

public sealed class VerifiedHeaderTests
{
    [Theory]
    [InlineData(null, false)]
    [InlineData("false", false)]
    [InlineData("true", true)]
    public void A_request_says_whether_its_answer_is_to_be_verified(string? value, bool expected)
    {
        var headers = new HeaderDictionary();
        if (value is not null)
        {
            headers["X-EFedLLM-Verified"] = value;
        }

        Assert.Equal(expected, CompletionRequest.IsVerified(headers));
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("")]
    [InlineData("True")]
    public void What_is_neither_true_nor_false_is_refused(string value)
    {
        var error = Assert.Throws<ApiException>(() => CompletionRequest.IsVerified(new HeaderDictionary { ["x-efedllm-verified"] = value }));
        Assert.Contains("true or false", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void It_is_said_once() =>
        Assert.Throws<ApiException>(() => CompletionRequest.IsVerified(new HeaderDictionary { ["x-efedllm-verified"] = new(["true", "true"]) }));
}
