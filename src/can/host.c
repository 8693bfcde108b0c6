/* can/host.c - the table of subscriptions. One that is called may remove itself and others; `coming` is the place where the walk goes on. */
/* prefix: subscriptions_ */
#include "can/host.h"
#include "can/filter.h"

static struct subscription **bucket_of(struct subscriptions *all, uint32_t id)
{
    return &all->bucket[filter_hash(id, SUBSCRIPTION_BUCKETS)];
}

void subscriptions_add(struct subscriptions *all, struct subscription *subscription)
{
    struct subscription **link = bucket_of(all, subscription->id);

    while (*link)
        link = &(*link)->next;
    subscription->next = NULL;
    subscription->link = link;
    *link = subscription;
}

void subscriptions_remove(struct subscriptions *all, struct subscription *subscription)
{
    if (!subscription->link) return;
    if (all->coming == subscription) all->coming = subscription->next;
    *subscription->link = subscription->next;
    if (subscription->next) subscription->next->link = subscription->link;
    subscription->link = NULL;
}

static bool wants(const struct subscription *s, uint32_t id, const struct can_event *event)
{
    if (s->id != id) return false;
    return s->ifindex ? s->ifindex == event->ifindex && event->scope != CAN_SCOPE_ANY
                      : event->scope != CAN_SCOPE_LINK;
}

void subscriptions_serve(struct subscriptions *all, const struct can_event *event)
{
    uint32_t id = frame_id(event->frame);

    for (struct subscription *s = *bucket_of(all, id); s; s = all->coming) {
        all->coming = s->next;
        if (!wants(s, id, event)) continue;
        s->matches++;
        s->receive(s, event);
    }
    all->coming = NULL;
}
