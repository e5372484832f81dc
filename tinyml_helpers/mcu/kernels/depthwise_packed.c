/* Before a depthwise convolution whose weights are stored in fewer bits: they are unpacked into RAM, behind what its
   kernel must know of the layer. */
#include "arithmetic.h"
#include "kernels.h"

#ifdef TINYML_DSP
enum { NEXT = 2 }; /* the others lie there as they are: see unpack.c */
#else
enum { NEXT = 1 };
#endif
_Static_assert(sizeof(tm_conv) <= TM_CONV_BYTES, "what a layer is does not fit before its weights");

void tm_depthwise_unpack(const tm_conv *layer, const tm_packed *packed, uint32_t taps, void *scratch) {
    tm_conv *const copy = (tm_conv *)scratch;
    uint8_t *const weights = (uint8_t *)scratch + TM_CONV_BYTES;
    *copy = *layer;
    copy->weights = weights;
    tm_unpack(packed, (const uint8_t *)layer->weights, 0, 1, taps, 1, weights);
    for (uint32_t i = 0; i < taps; i += NEXT) weights[i] ^= 0x80;
}
