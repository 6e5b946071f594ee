using EFedLLM.Actors.Gateway;

namespace EFedLLM.Actors.Tests.Gateway;

public sealed class AdmissionQueueTests
{
    [Fact]
    public void Who_comes_first_gets_a_place_then_a_wait_then_nothing()
    {
        var queue = new AdmissionQueue<string>(2, 2);
        Assert.Equal(
            [Admission.Admitted, Admission.Admitted, Admission.Queued, Admission.Queued, Admission.Refused],
            new[] { "a", "b", "c", "d", "e" }.Select(queue.Enter));
        Assert.Equal("c", queue.Leave("a"));
        Assert.Equal((2, 1), (queue.Taken, queue.Waiting));
        Assert.Equal(Admission.Queued, queue.Enter("f"));
        Assert.Null(queue.Leave("d"));
        Assert.Equal("f", queue.Leave("b"));
        Assert.Null(queue.Leave("c"));
        Assert.Null(queue.Leave("f"));
        Assert.Equal((0, 0), (queue.Taken, queue.Waiting));
        Assert.Equal(Admission.Admitted, queue.Enter("g"));
    }
}
