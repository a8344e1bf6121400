#include "keeper/state.h"

int keeper_epoch_find(const struct keeper *k, int64_t epoch)
{
	for (int i = 0; i < KMSG_EPOCHS_MAX; i++)
		if (epoch > 0 && k->epochs[i].epoch == epoch)
			return i;
	return -1;
}

const struct secret *keeper_epoch_opening(
	const struct keeper *k, const struct kmsg_fingerprint *fingerprint)
{
	for (size_t i = 0; i < KMSG_EPOCHS_MAX; i++)
		if (k->epochs[i].epoch &&
			memcmp(k->epochs[i].fp.b, fingerprint->b, sizeof(fingerprint->b)) == 0)
			return &k->secrets->opening[i];
	return NULL;
}

int keeper_epoch_add(struct keeper *k, const struct keeper_epoch *row, const struct secret *opening,
	struct err *err)
{
	for (size_t i = 0; i < KMSG_EPOCHS_MAX; i++) {
		if (k->epochs[i].epoch)
			continue;
		k->epochs[i] = *row;
		k->secrets->opening[i] = *opening;
		return 0;
	}
	return FAIL(err, ERR_TOO_LARGE, "%d epochs are held already", KMSG_EPOCHS_MAX);
}

static void wipe_shared(struct keeper *k, int place)
{
	base_wipe(&k->secrets->shared[place], sizeof(k->secrets->shared[place]));
	k->epochs[place].shares = false;
}

void keeper_shared_wipe(struct keeper *k)
{
	for (int i = 0; i < KMSG_EPOCHS_MAX; i++)
		wipe_shared(k, i);
}

void keeper_epoch_erase(struct keeper *k, int64_t epoch)
{
	const int i = keeper_epoch_find(k, epoch);

	if (i < 0)
		return;
	wipe_shared(k, i);
	base_secret_wipe(&k->secrets->opening[i]);
	k->epochs[i] = (struct keeper_epoch){0};
}

void keeper_epoch_list(const struct keeper *k, struct kmsg_held_reply *ret)
{
	ret->epochs_len = 0;
	for (size_t i = 0; i < KMSG_EPOCHS_MAX; i++) {
		const struct keeper_epoch *row = &k->epochs[i];
		size_t at = ret->epochs_len;
		if (!row->epoch)
			continue;
		for (; at > 0 && ret->epochs[at - 1].epoch > row->epoch; at--)
			ret->epochs[at] = ret->epochs[at - 1];
		ret->epochs[at] = (struct kmsg_held_epoch){
			.epoch = row->epoch, .key = keeper_point_of(&row->key), .made = row->made};
		ret->epochs_len++;
	}
}
